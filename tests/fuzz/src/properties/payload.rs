//! Whatever the bytes of a payload are, decoding them says what is wrong or brings a job; and a job
//! that was brought can be enqueued, in either codec, and comes back the same.
//!
//! The first byte of an input says what the rest is: a JSON object, a frame, or arguments that are
//! put into a frame, so that their values are reached.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use pgqueuer::{Codec, Job as _, Payload, job, payload::FrameWriter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Comment {
    text: String,
    replies: Vec<Self>,
    likes: Option<Box<Self>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
enum Shape {
    #[default]
    Unit,
    Newtype(Box<Self>),
    Tuple(u8, i128),
    Struct {
        width: f32,
        height: Option<u64>,
    },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Self>),
    #[default]
    Nothing,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Flattened {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u16>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    #[default]
    Nothing,
    Circle {
        radius: f32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// One argument of each sort. Those that may be missing let the others be reached by themselves.
#[job]
#[expect(clippy::too_many_arguments, reason = "one of each sort")]
async fn everything(
    #[serde(default)] flag: bool,
    #[serde(default)] signed: (i8, i16, i32, i64, i128),
    #[serde(default)] unsigned: (u8, u16, u32, u64, u128),
    #[serde(default)] floats: [f64; 2],
    #[serde(default)] letter: char,
    #[serde(default)] text: Option<String>,
    #[serde(default)] bytes: Vec<u8>,
    #[serde(default)] words: Vec<String>,
    #[serde(default)] by_name: BTreeMap<String, Vec<i32>>,
    #[serde(default)] by_number: HashMap<u8, bool>,
    #[serde(default)] comment: Comment,
    #[serde(default)] shape: Shape,
    #[serde(default)] untagged: Untagged,
    #[serde(default)] flattened: Flattened,
    #[serde(default)] at: Option<DateTime<Utc>>,
    #[serde(default)] day: Option<NaiveDate>,
    #[serde(default)]
    #[codec(json)]
    json: Comment,
    #[serde(default)] tagged: Tagged,
    #[serde(default)] value: Value,
    #[serde(default)] nothing: Vec<()>,
    #[serde(default)] by_pair: BTreeMap<(u8, bool), String>,
    #[serde(default)] set: BTreeSet<i8>,
    #[serde(default)] times: (NaiveTime, Duration),
) {
    let _ = (flag, signed, unsigned, floats, letter, text, bytes, words);
    let _ = (by_name, by_number, comment, shape, untagged, flattened, at);
    let _ = (day, json, tagged, value, nothing, by_pair, set, times);
}

/// What a later version of the program has made of another job.
#[derive(Deserialize)]
struct Newer {
    text: Option<String>,
    #[serde(default = "three")]
    retries: u8,
    #[serde(alias = "number")]
    account: i64,
    maybe: Option<String>,
}

fn three() -> u8 {
    3
}

/// Panics if what the module says does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((&way, rest)) = input.split_first() else {
        return;
    };
    let (codec, bytes) = match way % 3 {
        0 => (Codec::Json, rest.to_vec()),
        1 => (Codec::Framed, rest.to_vec()),
        _ => (Codec::Framed, framed(rest)),
    };
    match (Payload { codec, bytes }).decode::<Everything>() {
        Ok(job) => {
            comes_back(&job, codec);
            survives_a_deploy(&job);
        }
        Err(error) => {
            let message = error.to_string();
            let problem = message.strip_prefix("payload does not decode: ");
            assert!(problem.is_some_and(|it| !it.is_empty()), "{message}");
        }
    }
}

/// Argument, codec, length, value; and so on.
fn framed(mut input: &[u8]) -> Vec<u8> {
    let mut frame = vec![1];
    while let [argument, codec, length, rest @ ..] = input {
        let (value, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let arguments = Everything::ARGUMENTS;
        let name = arguments[usize::from(*argument) % arguments.len()].name;
        frame.push(u8::try_from(name.len()).expect("names are short"));
        frame.extend_from_slice(name.as_bytes());
        frame.push(codec % 2 + 1);
        let length = u32::try_from(value.len()).expect("at most 255");
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(value);
        input = rest;
    }
    frame
}

fn comes_back(job: &Everything, codec: Codec) {
    let text = shown(job);
    let frame = job.encode();
    assert!(frame.is_ok(), "{frame:?}: {text}");
    let json = Payload::json("everything", job);
    // JSON has no floats that are not numbers. What came as a frame may not fit into it, either.
    let is_finite = !text.contains("NaN") && !text.contains("inf");
    assert!(
        json.is_ok() || codec == Codec::Framed || !is_finite,
        "{json:?}: {text}"
    );

    for again in [frame, json].into_iter().flatten() {
        let back: Everything = again.decode().expect("what was encoded decodes");
        assert_eq!(shown(&back), text);
    }
}

/// The older program has three arguments. One is renamed, one is gone, and two are new.
fn survives_a_deploy(job: &Everything) {
    let queued = FrameWriter::new("other")
        .argument("number", &job.signed.3)
        .and_then(|it| it.argument("gone", &job.comment))
        .and_then(|it| it.argument("text", &job.text))
        .and_then(FrameWriter::finish)
        .expect("it was in a payload before");
    let newer: Newer = queued.decode().expect("what is new may be missing");
    assert_eq!((&newer.text, newer.account), (&job.text, job.signed.3));
    assert_eq!((newer.retries, newer.maybe), (3, None));
}

/// As text, in which floats that are not numbers are equal. The order of a hash map is not.
fn shown(job: &Everything) -> String {
    let by_number: BTreeMap<_, _> = job.by_number.iter().collect();
    let job = Everything {
        by_number: HashMap::new(),
        ..job.clone()
    };
    format!("{job:?} {by_number:?}")
}
