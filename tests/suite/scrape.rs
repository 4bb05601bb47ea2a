//! What a scrape of metrics has brought.

use std::collections::BTreeMap;

use pgqueuer::{
    PgQueuer,
    metrics::{FAMILIES, Family, FamilyKind, Metrics},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What is under `/metrics` at an address: the head of the answer, and its body.
pub(crate) async fn get(address: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The samples by their series, as they are written: `name{label="value"}`.
#[derive(Clone, Debug)]
pub(crate) struct Scrape {
    pub(crate) text: String,
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    pub(crate) async fn of(pgq: &PgQueuer) -> Self {
        Self::parse(&Metrics::new(pgq).render().await)
    }

    /// Panics at whatever Prometheus would not take, and at names that are not those of the list.
    pub(crate) fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let mut family: Option<&Family> = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                family = FAMILIES.iter().find(|it| it.name == name);
                assert_eq!(family.expect(line).help, help);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let family = family.expect(line);
                let expected = format!("{} {}", family.name, family.kind.as_str());
                assert_eq!(rest, expected);
            } else {
                let (series, value) = line.rsplit_once(' ').expect(line);
                check_name(family.expect(line), series);
                let value: f64 = value.parse().expect(line);
                let before = samples.insert(series.to_owned(), value);
                assert_eq!(before, None, "twice: {line}");
            }
        }
        Self {
            text: text.to_owned(),
            samples,
        }
    }

    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.get(series);
        value.unwrap_or_else(|| panic!("there is no {series} in\n{}", self.text))
    }

    /// Whether there are any of this family.
    pub(crate) fn has(&self, family: &str) -> bool {
        self.text.contains(&format!("# TYPE {family} "))
    }

    /// What must never become less: counters, and the counts and buckets of histograms.
    pub(crate) fn growing(&self) -> impl Iterator<Item = (&str, f64)> {
        let samples = self.samples.iter();
        samples.filter_map(|(series, value)| {
            let name = series.split('{').next().unwrap_or_default();
            let grows = ["_total", "_bucket", "_count", "_sum"];
            let grows = grows.iter().any(|it| name.ends_with(it));
            grows.then_some((series.as_str(), *value))
        })
    }
}

fn check_name(family: &Family, series: &str) {
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let suffix = name.strip_prefix(family.name).expect(series);
    let is_known = match family.kind {
        FamilyKind::Histogram => ["_bucket", "_sum", "_count"].contains(&suffix),
        _ => suffix.is_empty(),
    };
    assert!(is_known, "{series}");
    let labels = labels.trim_end_matches('}').split("\",");
    let names = labels.filter_map(|it| it.split_once('=')).map(|it| it.0);
    let names: Vec<&str> = names.filter(|it| *it != "le").collect();
    assert_eq!(names, family.labels, "{series}");
}
