//! Payloads come back as they went in, across versions of a job, and nothing panics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Codec, FrameWriter, MAX_PAYLOAD_BYTES, Payload};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mail {
    user_id: i64,
    locale: String,
    tags: Vec<String>,
}

fn framed(mail: &Mail) -> Payload {
    FrameWriter::new("mail")
        .argument("user_id", &mail.user_id)
        .and_then(|it| it.argument("locale", &mail.locale))
        .and_then(|it| it.argument("tags", &mail.tags))
        .and_then(FrameWriter::finish)
        .unwrap()
}

fn mail() -> Mail {
    Mail {
        user_id: 42,
        locale: "nb".to_owned(),
        tags: vec!["new".to_owned()],
    }
}

fn one<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> Payload {
    FrameWriter::new("one")
        .argument("value", value)
        .and_then(FrameWriter::finish)
        .unwrap()
}

#[derive(Debug, PartialEq, Deserialize)]
struct One<T> {
    value: T,
}

/// What bincode encodes and then cannot decode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Circle { radius: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Skipping {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    first: Option<u8>,
    second: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flattening {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn comes_back<T>(value: &T)
where
    T: Clone + std::fmt::Debug + PartialEq + Serialize + serde::de::DeserializeOwned,
{
    let decoded: One<T> = one(value).decode().unwrap();
    assert_eq!(&decoded.value, value);
}

#[test]
fn what_bincode_does_not_carry_comes_back_all_the_same() {
    comes_back(&Untagged::Text("x".to_owned()));
    comes_back(&Tagged::Circle { radius: 1.5 });
    comes_back(&Skipping {
        first: None,
        second: 7,
    });
    comes_back(&Flattening {
        id: 1,
        rest: BTreeMap::from([("k".to_owned(), json!([1, null]))]),
    });
    comes_back(&json!({"deep": {"er": [1, 2.5, "x", null]}}));
    comes_back(&std::collections::HashMap::from(
        [("a", 1), ("b", 2)].map(|(k, v)| (k.to_owned(), v)),
    ));
}

#[test]
fn maps_without_text_for_keys_come_back_whatever_their_order() {
    for size in 0..20_u8 {
        let map: std::collections::HashMap<(u8, u8), u8> =
            (0..size).map(|it| ((it, it), it)).collect();
        comes_back(&map);
    }
}

#[test]
fn what_neither_codec_carries_is_refused_by_name() {
    let keys_are_not_text = BTreeMap::from([(Untagged::Number(1).key(), Untagged::Number(2))]);

    let error = FrameWriter::new("odd")
        .argument("map", &keys_are_not_text)
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "argument `map` of job `odd` cannot be written as JSON"
    );
}

impl Untagged {
    /// Not a text, so not a key in JSON; and the values keep bincode out.
    fn key(&self) -> (u8, u8) {
        (1, 2)
    }
}

#[test]
fn a_new_argument_with_a_default_reads_old_payloads() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Newer {
        locale: String,
        #[serde(default)]
        retries: u8,
        #[serde(alias = "user_id")]
        account: i64,
        maybe: Option<String>,
    }

    let newer: Newer = framed(&mail()).decode().unwrap();

    // Reordered, renamed, one gone, two new.
    assert_eq!(
        newer,
        Newer {
            locale: "nb".to_owned(),
            retries: 0,
            account: 42,
            maybe: None
        }
    );
}

#[test]
fn a_missing_argument_is_named() {
    #[derive(Debug, Deserialize)]
    struct Stricter {
        #[expect(dead_code, reason = "only its absence matters")]
        subject: String,
    }

    let error = framed(&mail()).decode::<Stricter>().unwrap_err();

    assert_eq!(
        error.to_string(),
        "payload does not decode: missing field `subject`"
    );
}

#[test]
fn an_argument_of_another_type_is_named() {
    #[derive(Debug, Deserialize)]
    struct Changed {
        #[expect(dead_code, reason = "only its type matters")]
        tags: BTreeMap<String, String>,
    }

    let error = framed(&mail()).decode::<Changed>().unwrap_err();

    assert!(error.to_string().contains("argument `tags`"), "{error}");
}

#[test]
fn json_is_read_for_every_kind() {
    let bytes = br#"{"tags": ["new"], "user_id": 42, "locale": "nb", "unknown": 1}"#.to_vec();
    let payload = Payload {
        codec: Codec::Json,
        bytes,
    };
    assert_eq!(payload.decode::<Mail>().unwrap(), mail());
}

#[test]
fn a_payload_over_the_limit_is_refused_with_its_size() {
    let text = "x".repeat(MAX_PAYLOAD_BYTES);

    let error = FrameWriter::new("big")
        .argument("text", &text)
        .and_then(FrameWriter::finish)
        .unwrap_err();

    let message = error.to_string();
    assert!(
        message.contains("the payload of job `big` is 335544"),
        "{message}"
    );
    assert!(
        message.contains("at most 33554432; store the data elsewhere"),
        "{message}"
    );
}

#[test]
fn a_hostile_length_is_refused_without_allocating() {
    // An argument `tags` whose vector claims to have 2^62 entries.
    let mut bytes = vec![1, 4];
    bytes.extend_from_slice(b"tags");
    bytes.push(1);
    bytes.extend_from_slice(&9_u32.to_le_bytes());
    bytes.push(253);
    bytes.extend_from_slice(&(1_u64 << 62).to_le_bytes());
    let payload = Payload {
        codec: Codec::Framed,
        bytes,
    };

    assert!(payload.decode::<Mail>().is_err());
}

/// Two levels a comment: itself and the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Comment {
    replies: Vec<Self>,
}

impl Comment {
    fn nested(levels: usize) -> Self {
        (1..levels).fold(Self { replies: vec![] }, |inner, _| Self {
            replies: vec![inner],
        })
    }
}

#[test]
fn nesting_comes_back_as_deep_as_json_allows() {
    let deep = Comment::nested(64);
    let read: One<Comment> = one(&deep).decode().unwrap();
    assert_eq!(read.value, deep);

    let too_deep = FrameWriter::new("one").argument("value", &Comment::nested(65));
    let message = too_deep.unwrap_err().to_string();
    assert_eq!(
        message,
        "argument `value` of job `one` cannot be read back from JSON"
    );
}

#[test]
fn bottomless_nesting_is_refused_before_the_stack_is_full() {
    // A byte a comment: one reply, one reply, one reply …
    let levels = 4 * 1024 * 1024;
    let mut bytes = b"\x01\x05value\x01".to_vec();
    bytes.extend_from_slice(&u32::try_from(levels).unwrap().to_le_bytes());
    bytes.resize(bytes.len() + levels, 1);
    let bottomless = Payload {
        codec: Codec::Framed,
        bytes,
    };

    let message = bottomless.decode::<One<Comment>>().unwrap_err().to_string();

    assert!(
        message.contains("argument `value`: ") && message.contains("more than 128 levels deep"),
        "{message}"
    );
}

#[test]
fn a_list_of_what_takes_no_bytes_may_not_go_on_for_ever() {
    let read = |value: &[u8]| {
        let mut bytes = b"\x01\x05value\x01".to_vec();
        bytes.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(value);
        let codec = Codec::Framed;
        let read = Payload { codec, bytes }.decode::<One<Vec<Vec<()>>>>();
        read.map(|it| it.value.len()).map_err(|it| it.to_string())
    };
    // One list of so many; or a thousand, of which the first has 30 million already.
    let endless = [vec![1, 253], (1_u64 << 62).to_le_bytes().to_vec()].concat();
    let thousand = [vec![252], 30_000_000_u32.to_le_bytes().to_vec()].concat();
    let thousand = [vec![251, 232, 3], thousand.repeat(1000)].concat();

    for hostile in [endless, thousand] {
        let message = read(&hostile).unwrap_err();
        assert!(message.contains("more than 33554432 entries"), "{message}");
    }
    comes_back(&vec![vec![(); 100_000]; 3]);
}

proptest! {
    #[test]
    fn floats_come_back_from_json_to_the_last_bit(value in prop::num::f64::NORMAL) {
        let payload = Payload::json("one", &(value,)).unwrap();
        prop_assert_eq!(payload.decode::<(f64,)>().unwrap().0, value);
    }
}

#[test]
fn a_newer_frame_is_refused_by_its_version() {
    let payload = Payload {
        codec: Codec::Framed,
        bytes: vec![9, 1, 2, 3],
    };
    let error = payload.decode::<Mail>().unwrap_err();
    assert!(
        error.to_string().contains("frame version 9 is unknown"),
        "{error}"
    );
}

type Nested = Option<Vec<(u32, Option<String>, char, bool, i128)>>;

proptest! {
    #[test]
    fn arguments_come_back(
        user_id: i64,
        locale: String,
        tags: Vec<String>,
    ) {
        let mail = Mail { user_id, locale, tags };
        prop_assert_eq!(framed(&mail).decode::<Mail>().unwrap(), mail);
    }

    #[test]
    fn nested_values_come_back(value: Nested) {
        let decoded: One<Nested> =
            one(&value).decode().unwrap();
        prop_assert_eq!(decoded.value, value);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(mut bytes: Vec<u8>, json: bool) {
        let codec = if json { Codec::Json } else { Codec::Framed };
        if let (Codec::Framed, Some(first)) = (codec, bytes.first_mut()) {
            *first = 1;
        }
        let _ = Payload { codec, bytes }.decode::<Mail>();
    }

    #[test]
    fn a_damaged_payload_does_not_make_the_decoder_panic(
        position: prop::sample::Index,
        byte: u8,
        length: prop::sample::Index,
    ) {
        let mut payload = framed(&mail());
        let at = position.index(payload.bytes.len());
        payload.bytes[at] = byte;
        payload.bytes.truncate(length.index(payload.bytes.len()) + 1);
        let _ = payload.decode::<Mail>();
    }
}
