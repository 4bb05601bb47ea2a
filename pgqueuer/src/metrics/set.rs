//! An exposition in the making.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as Exposed, LabelPair, Metric, MetricFamily, MetricType,
};

use super::names::{Family, FamilyKind};
use crate::{
    runtime::{Batches, Sizes, Timings},
    store::Histogram,
};

/// Families in the order of their first sample.
#[derive(Debug, Default)]
pub(super) struct Set(Vec<MetricFamily>);

/// Which bounds of a histogram are shown: every so manyth, up to a last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    every: usize,
    last: usize,
}

impl Bounds {
    /// Of jobs: from a millisecond to 19 hours, each four times the one before, since there are as many series for each kind.
    pub(super) const JOBS: Self = Self { every: 4, last: 52 };

    /// Of statements: from a millisecond to 16 seconds, doubled each time.
    pub(super) const STATEMENTS: Self = Self { every: 2, last: 28 };
}

impl Set {
    pub(super) fn into_families(self) -> Vec<MetricFamily> {
        self.0
    }

    /// Adds a number. `labels`: their values, in the order of the family.
    pub(super) fn number(&mut self, family: &Family, labels: &[&str], value: f64) {
        let mut metric = labelled(family, labels);
        match family.kind {
            FamilyKind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            FamilyKind::Counter | FamilyKind::Histogram => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
        }
        self.add(family, metric);
    }

    /// Adds a count.
    pub(super) fn count(&mut self, family: &Family, labels: &[&str], count: u64) {
        self.number(family, labels, count as f64);
    }

    /// Adds durations, which last so many seconds together.
    pub(super) fn durations(
        &mut self,
        family: &Family,
        labels: &[&str],
        bounds: Bounds,
        durations: (&Histogram, f64),
    ) {
        let (histogram, seconds) = durations;
        let shown = (0..=bounds.last).step_by(bounds.every);
        let shown = shown.map(Histogram::bound);
        let buckets = shown.map(|bound| (bound, histogram.count_up_to(bound)));
        self.histogram(
            family,
            labels,
            buckets.collect(),
            (histogram.count(), seconds),
        );
    }

    pub(super) fn timings(&mut self, family: &Family, timings: &Timings) {
        let durations = (&timings.histogram, timings.seconds);
        self.durations(family, &[], Bounds::STATEMENTS, durations);
    }

    /// Adds statements for many jobs: how long they took, and for how many jobs they were.
    pub(super) fn batches(&mut self, took: &Family, jobs: &Family, batches: &Batches) {
        self.timings(took, &batches.took);
        let sizes = &batches.sizes;
        let mut so_far = 0;
        let buckets = Sizes::BOUNDS
            .iter()
            .zip(sizes.counts)
            .map(|(bound, count)| {
                so_far += count;
                (*bound as f64, so_far)
            });
        let buckets = buckets.collect();
        self.histogram(jobs, &[], buckets, (sizes.batches, sizes.jobs as f64));
    }

    /// `total`: how many there are, and their sum.
    fn histogram(
        &mut self,
        family: &Family,
        labels: &[&str],
        buckets: Vec<(f64, u64)>,
        total: (u64, f64),
    ) {
        let buckets = buckets.into_iter().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        let mut exposed = Exposed::default();
        exposed.set_bucket(buckets.collect());
        exposed.set_sample_count(total.0);
        exposed.set_sample_sum(total.1);
        let mut metric = labelled(family, labels);
        metric.set_histogram(exposed);
        self.add(family, metric);
    }

    fn add(&mut self, family: &Family, metric: Metric) {
        let place = self.0.iter().position(|it| it.name() == family.name);
        let place = place.unwrap_or_else(|| {
            let mut exposed = MetricFamily::default();
            exposed.set_name(family.name.to_owned());
            exposed.set_help(family.help.to_owned());
            exposed.set_field_type(match family.kind {
                FamilyKind::Counter => MetricType::COUNTER,
                FamilyKind::Gauge => MetricType::GAUGE,
                FamilyKind::Histogram => MetricType::HISTOGRAM,
            });
            self.0.push(exposed);
            self.0.len() - 1
        });
        self.0[place].mut_metric().push(metric);
    }
}

fn labelled(family: &Family, values: &[&str]) -> Metric {
    let labels = family.labels.iter().zip(values).map(|(name, value)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value((*value).to_owned());
        label
    });
    Metric::from_label(labels.collect())
}
