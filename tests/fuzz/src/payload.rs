//! Whatever the bytes of a payload are, decoding them says what is wrong or brings a job; and a job
//! that was brought goes there and back again.
#![no_main]

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use libfuzzer_sys::fuzz_target;
use pgqueuer::{Codec, Job as _, Payload, job};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Comment {
    text: String,
    replies: Vec<Comment>,
    likes: Option<Box<Comment>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
enum Shape {
    #[default]
    Unit,
    Newtype(Box<Shape>),
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
    List(Vec<Untagged>),
    #[default]
    Nothing,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Flattened {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u16>,
}

/// One argument of each sort. Those that may be missing let the others be reached by themselves.
#[job]
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
) {
    let _ = (flag, signed, unsigned, floats, letter, text, bytes, words);
    let _ = (by_name, by_number, comment, shape, untagged, flattened, at, day, json);
}

const ARGUMENTS: [&str; 17] = [
    "flag", "signed", "unsigned", "floats", "letter", "text", "bytes", "words", "by_name",
    "by_number", "comment", "shape", "untagged", "flattened", "at", "day", "json",
];

fuzz_target!(|input: &[u8]| {
    let Some((&way, rest)) = input.split_first() else {
        return;
    };
    let payload = match way % 3 {
        0 => Payload { codec: Codec::Json, bytes: rest.to_vec() },
        1 => Payload { codec: Codec::Framed, bytes: rest.to_vec() },
        // A frame that is right, so that the values are reached.
        _ => Payload { codec: Codec::Framed, bytes: framed(rest) },
    };
    let Ok(job) = payload.decode::<Everything>() else {
        return;
    };
    // What neither codec carries (a float that is not a number) is refused.
    let Ok(again) = job.encode() else {
        return;
    };
    let back: Everything = again.decode().expect("what was encoded decodes");
    assert_eq!(shown(&job), shown(&back));
});

/// Argument, codec, length, value; and so on.
fn framed(mut input: &[u8]) -> Vec<u8> {
    let mut frame = vec![1];
    while let [argument, codec, length, rest @ ..] = input {
        let (value, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let name = ARGUMENTS[usize::from(*argument) % ARGUMENTS.len()];
        frame.push(u8::try_from(name.len()).expect("names are short"));
        frame.extend_from_slice(name.as_bytes());
        frame.push(codec % 2 + 1);
        frame.extend_from_slice(&u32::try_from(value.len()).expect("at most 255").to_le_bytes());
        frame.extend_from_slice(value);
        input = rest;
    }
    frame
}

/// As text, in which floats that are not numbers are equal. The order of a hash map is not.
fn shown(job: &Everything) -> String {
    let mut by_number: Vec<_> = job.by_number.iter().collect();
    by_number.sort_unstable();
    format!(
        "{:?}",
        (
            (job.flag, job.signed, job.unsigned, job.floats, job.letter, &job.text, &job.bytes),
            (&job.words, &job.by_name, by_number, &job.comment, &job.shape, &job.untagged),
            (&job.flattened, job.at, job.day, &job.json),
        )
    )
}
