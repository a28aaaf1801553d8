//! Answers bound by schemas: what may follow is what a text of the schema has there, nothing is a dead end, and
//! whatever comes out validates.

use std::sync::Arc;

use openledger_exact::constraint::{Constraint, Vocabulary};
use openledger_exact::schema::{Json, Schema};
use proptest::prelude::*;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

const END: u32 = 300;
/// Tokens of several bytes, behind the 256 of one.
const LONGER: [&str; 12] =
    ["{\"", "\":", "\": \"", "\",\"", "\"}", "true", "nul", "12", ".5", "ab", "\u{e9}", "]}"];

fn bytes(id: u32) -> &'static [u8] {
    static ONE: [u8; 256] = {
        let mut all = [0; 256];
        let mut i = 0;
        while i < 256 {
            all[i] = i as u8;
            i += 1;
        }
        all
    };
    let id = id as usize;
    match id {
        0..=255 => &ONE[id..=id],
        _ => LONGER.get(id - 256).map_or(&[], |text| text.as_bytes()),
    }
}

fn vocabulary() -> Arc<Vocabulary> {
    Arc::new(Vocabulary::new(END as usize + 1, END, bytes))
}

fn read(text: &str) -> Result<Schema, String> {
    let json: Json = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Schema::read(&json).map_err(|e| {
        assert_eq!(e.code, "E-GEN-008");
        e.what
    })
}

fn bound(schema: &Schema) -> Constraint {
    Constraint::new(Arc::new(schema.clone()), vocabulary())
}

/// Whether a whole answer may be `text`.
fn takes(schema: &Schema, text: &str) -> bool {
    let mut constraint = bound(schema);
    for byte in text.bytes() {
        let may = constraint.mask().unwrap().has(byte.into());
        assert_eq!(constraint.take(byte.into()), may);
        if !may {
            return false;
        }
    }
    let may = constraint.mask().unwrap().has(END);
    assert_eq!(constraint.take(END), may);
    may
}

#[test]
fn texts_are_taken_as_the_schema_says() {
    let person = r#"{"type":"object","properties":{
        "name":{"type":"string","minLength":1,"maxLength":4},"nick":{"type":["string","null"]},
        "age":{"type":"integer"}},"required":["name","age"],"additionalProperties":false}"#;
    let cases: [(&str, &[&str], &[&str]); 9] = [
        (
            person,
            &[
                r#"{"name":"Ada","age":36}"#,
                r#" { "name": "Ada", "nick": null, "age": -7 }"#,
                "{\"name\":\"\u{e9}\u{1f600}\\n\\\"\",\"nick\":\"\",\"age\":0}",
            ],
            &[
                r#"{"age":36,"name":"Ada"}"#,
                r#"{"name":"","age":1}"#,
                r#"{"name":"Adams","age":1}"#,
                r#"{"name":"Ada"}"#,
                r#"{"name":"Ada","age":1.5}"#,
                r#"{"name":"Ada","age":-0}"#,
                r#"{"name":"Ada","age":01}"#,
                r#"{"name":"Ada","age":1,"more":2}"#,
                r#"{"name":"Ada","age":1,}"#,
                r#"{  "name":"Ada","age":1}"#,
                r#"{"name":"Ada","age":1}x"#,
                "{\"name\":\"A\nd\",\"age\":1}",
                r#"{"name":"\u0041","age":1}"#,
                "",
            ],
        ),
        (
            r#"{"enum":["a","ab",1,12,null,true]}"#,
            &[r#""a""#, r#""ab""#, "1", "12", "null", "true"],
            &[r#""b""#, "2", "11", "122", "false", "1 "],
        ),
        (r#"{"const":"a\"\n"}"#, &[r#""a\"\n""#], &[r#""a""#]),
        (
            r#"{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":2}"#,
            &["[1]", "[ 1.5e-3, -0.0 ]", "[1e99,0]"],
            &["[]", "[1,2,3]", "[1,]", "[1e999]", "[.5]", "[1.]"],
        ),
        (
            r##"{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{
                "kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["kids"]}}}"##,
            &[r#"{"kids":[]}"#, r#"{"kids":[{"kids":[]},{"kids":[{"kids":[]}]}]}"#],
            &[r#"{"kids":[1]}"#, r#"{"kids":[{}]}"#],
        ),
        (
            r#"{"anyOf":[{"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}},
                "required":["t","x"]},{"type":"object","properties":{"t":{"const":"b"},
                "y":{"type":"boolean"}},"required":["t","y"]}]}"#,
            &[r#"{"t":"a","x":1}"#, r#"{"t":"b","y":true}"#],
            &[r#"{"t":"a","y":true}"#, r#"{"t":"c"}"#],
        ),
        ("true", &["{\"a\":[1,\"x\",{}]}", "null", " 7"], &["nul", "{\"a\"}", "[1 ,2]"]),
        (r#"{"type":"object"}"#, &["{}", r#"{"a":{"b":[]}}"#], &["[]", "1"]),
        (
            r#"{"type":"object","properties":{},"additionalProperties":false}"#,
            &["{}", "{ }"],
            &[r#"{"a":1}"#],
        ),
    ];
    for (schema, taken, refused) in cases {
        let read = read(schema).unwrap();
        for text in taken {
            assert!(takes(&read, text), "{schema} should take {text}");
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
        }
        for text in refused {
            assert!(!takes(&read, text), "{schema} should not take {text}");
        }
    }
    assert!(takes(&Schema::any_object(), r#"{"a":1}"#) && !takes(&Schema::any_object(), "1"));
    // Bytes that are no text do not get in.
    for bad in [&b"\"\xff"[..], b"\"\xc0\x80", b"\"\xed\xa0\x80", b"\"\xf4\x90\x80\x80", b"\"\xc3\""] {
        let mut constraint = bound(&read("{\"type\":\"string\"}").unwrap());
        assert!(!bad.iter().all(|byte| constraint.take(u32::from(*byte))), "{bad:?}");
    }
}

#[test]
fn an_answer_that_goes_on_is_bound_by_what_stands_there() {
    let schema = read(r#"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}"#).unwrap();
    let mut on = bound(&schema.clone().after("{\"a\":1").unwrap());
    let mask = on.mask().unwrap();
    assert!(mask.has(u32::from(b'2')) && mask.has(u32::from(b'}')) && !mask.has(u32::from(b'{')));
    assert!(on.take(u32::from(b'}')) && on.is_whole());
    assert_eq!(schema.after("[").unwrap_err().code, "E-GEN-008");
}

#[test]
fn node_attack_hostile_schemas_are_refused_by_name() {
    let deep = format!("{}{{}}{}", r#"{"type":"array","items":"#.repeat(70), "}".repeat(70));
    let list = |of: String, count: usize| vec![of; count].join(",");
    let wide = (0..40).map(|i| format!(r#"{{"const":{i}}}"#)).collect::<Vec<_>>().join(",");
    let huge = list(r#"{"type":"string"}"#.into(), 5_000);
    let many = (0..2_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let cases = [
        (deep.as_str(), "deep"),
        (&format!(r#"{{"anyOf":[{wide}]}}"#), "alternatives"),
        (&format!(r#"{{"anyOf":[{huge}]}}"#), "shapes"),
        (&format!(r#"{{"enum":[{many}]}}"#), "enum"),
        // Texts of it would have no end.
        (r##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##, "no value"),
        (r##"{"$ref":"#"}"##, "no value"),
        (r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "no value"),
        (r#"{"$ref":"http://elsewhere/x"}"#, "names neither"),
        (r#"{"type":"string","pattern":"(a+)+$"}"#, "\"pattern\" is not enforced"),
        (r#"{"type":"string","format":"date"}"#, "\"format\" is not enforced"),
        (r#"{"type":"array","uniqueItems":true}"#, "\"uniqueItems\" is not enforced"),
        (r#"{"type":"integer","minimum":3}"#, "\"minimum\" is not enforced"),
        (r#"{"oneOf":[{"type":"string"}]}"#, "\"oneOf\" is not enforced"),
        (r#"{"anyOf":[true],"type":"string"}"#, "beside"),
        (r#"{"properties":{"a":true}}"#, "a type is missing"),
        (r#"{"type":"object","required":["a"]}"#, "not in properties"),
        (r#"{"type":"string","minLength":3,"maxLength":2}"#, "above"),
        (r#"{"type":"string","minLength":-1}"#, "must lie"),
        (r#"{"type":"string","items":true}"#, "another type"),
        (r#"{"type":"text"}"#, "unknown type"),
        (r#"{"enum":[]}"#, "no value of its type"),
        (r#"{"const":1.5}"#, "whole numbers"),
        (r#"{"enum":[{"a":1}]}"#, "no objects"),
        ("false", "allows no value"),
        ("7", "a schema is an object"),
        (r#"{"type":"string","type":"null"}"#, "stands twice"),
    ];
    for (schema, why) in cases {
        let what = read(schema).unwrap_err();
        assert!(what.contains(why), "{schema:.80}: {what}");
    }
}

#[test]
fn node_attack_a_schema_with_ever_more_ways_stays_bounded() {
    // Each bracket doubles the ways in which the text can be read.
    let schema = read(
        r##"{"$ref":"#/$defs/a","$defs":{
            "a":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/a"}},{"type":"array","items":{"$ref":"#/$defs/b"}},
                {"const":1}]},
            "b":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/b"}},{"type":"array","items":{"$ref":"#/$defs/a"}},
                {"const":1}]}}}"##,
    )
    .unwrap();
    assert!(takes(&schema, &format!("{}1{}", "[".repeat(64), "]".repeat(64))));
    // One level more is not offered.
    let mut constraint = bound(&schema);
    assert!((0..64).all(|_| constraint.take(u32::from(b'['))));
    let mask = constraint.mask().unwrap();
    assert!(!mask.has(u32::from(b'[')) && mask.has(u32::from(b'1')));
}

/// Whether a value is one of the schema, by the words of JSON Schema and another way than masks go.
fn validates(whole: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(said) = schema else { return schema == &Value::Bool(true) };
    if let Some(target) = said.get("$ref").and_then(Value::as_str) {
        return whole.pointer(&target[1..]).is_some_and(|found| validates(whole, found, value));
    }
    if let Some(Value::Array(any)) = said.get("anyOf") {
        return any.iter().any(|one| validates(whole, one, value));
    }
    let number = |name: &str| said.get(name).and_then(Value::as_u64);
    let within = |count: usize, min: &str, max: &str| {
        number(min).is_none_or(|min| count as u64 >= min) && number(max).is_none_or(|max| count as u64 <= max)
    };
    let of_type = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.as_str().is_some_and(|s| within(s.chars().count(), "minLength", "maxLength")),
        "array" => value.as_array().is_some_and(|list| {
            let items = said.get("items").unwrap_or(&Value::Bool(true));
            within(list.len(), "minItems", "maxItems") && list.iter().all(|one| validates(whole, items, one))
        }),
        _ => value.as_object().is_some_and(|object| {
            let properties = said.get("properties").and_then(Value::as_object);
            let required = said.get("required").and_then(Value::as_array);
            required.is_none_or(|names| names.iter().all(|name| object.contains_key(name.as_str().unwrap())))
                && object.iter().all(|(name, one)| match properties.and_then(|known| known.get(name)) {
                    Some(schema) => validates(whole, schema, one),
                    None => {
                        said.get("additionalProperties").is_none_or(|schema| validates(whole, schema, one))
                    }
                })
        }),
    };
    let types = match said.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(|name| of_type(name.as_str().unwrap())),
        Some(name) => of_type(name.as_str().unwrap()),
    };
    types
        && said.get("const").is_none_or(|one| one == value)
        && said.get("enum").and_then(Value::as_array).is_none_or(|list| list.contains(value))
}

fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "null"})),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "integer"})),
        Just(json!({"type": ["number", "null"]})),
        (0u32..3, 0u32..4)
            .prop_map(|(min, more)| json!({"type": "string", "minLength": min, "maxLength": min + more})),
        Just(json!({"type": "string"})),
        Just(json!({"enum": ["a", "ab", 1, 12, null, true, "\"\n"]})),
        Just(json!({"$ref": "#/$defs/tree"})),
        Just(json!({})),
    ];
    let inner = leaf.prop_recursive(3, 24, 4, |inner| {
        let members = proptest::collection::vec((inner.clone(), any::<bool>()), 0..4);
        prop_oneof![
            (members, any::<bool>()).prop_map(|(members, open)| {
                let name = |i: usize| ["a", "ab", "b\"", ""][i];
                let required: Vec<&str> =
                    members.iter().enumerate().filter(|(_, (_, r))| *r).map(|(i, _)| name(i)).collect();
                let properties: serde_json::Map<String, Value> = members
                    .iter()
                    .enumerate()
                    .map(|(i, (schema, _))| (name(i).into(), schema.clone()))
                    .collect();
                json!({"type": "object", "properties": properties, "required": required,
                    "additionalProperties": open})
            }),
            (inner.clone(), 0u32..2, 0u32..3).prop_map(|(items, min, more)| {
                json!({"type": "array", "items": items, "minItems": min, "maxItems": min + more})
            }),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({"anyOf": any})),
            inner.prop_map(|values| json!({"type": "object", "additionalProperties": values})),
        ]
    });
    inner.prop_map(|mut schema| {
        let tree = json!({"type": "object", "properties": {
            "v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "required": ["v"], "additionalProperties": false});
        schema.as_object_mut().unwrap().insert("$defs".into(), json!({"tree": tree}));
        schema
    })
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_out_validates_and_nothing_is_a_dead_end(schema in schemas(), seed in any::<u64>()) {
        let read = read(&schema.to_string()).unwrap();
        let mut constraint = bound(&read);
        let mut state = seed | 1;
        let mut next = move |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut text = Vec::new();
        for i in 0.. {
            // An empty mask would be an error here.
            let so_far = String::from_utf8_lossy(&text);
            let mask = constraint.mask().map_err(|e| TestCaseError::fail(format!("{so_far}: {e}")))?;
            // What closes comes first after a while: schemas may allow texts without end.
            let closing = [END, u32::from(b'"'), u32::from(b']'), u32::from(b'}'), u32::from(b':'), u32::from(b'1')];
            let early = closing.iter().copied().find(|id| i > 60 && mask.has(*id));
            let allowed: Vec<u32> = (0..=END).filter(|id| mask.has(*id)).collect();
            let token = early.unwrap_or_else(|| allowed[next(allowed.len())]);
            prop_assert!(constraint.take(token));
            if token == END {
                break;
            }
            text.extend_from_slice(bytes(token));
            prop_assert!(i < 5_000, "{}", String::from_utf8_lossy(&text));
        }
        let text = String::from_utf8(text).unwrap();
        let value: Value = serde_json::from_str(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert!(validates(&schema, &schema, &value), "{schema} wrote {text}");
    }

    #[test]
    fn a_mask_has_the_tokens_whose_bytes_go_on(schema in schemas(), picks in proptest::collection::vec(any::<u16>(), 0..30)) {
        let read = Arc::new(read(&schema.to_string()).unwrap());
        let mut taken: Vec<u32> = Vec::new();
        for pick in picks {
            let at = |tokens: &[u32]| {
                let mut constraint = Constraint::new(read.clone(), vocabulary());
                let all = tokens.iter().all(|token| constraint.take(*token));
                (constraint, all)
            };
            let mask = at(&taken).0.mask().unwrap();
            for id in 0..=END {
                let mut more = taken.clone();
                // Byte by byte: not by the way that makes the mask.
                match bytes(id) {
                    [] => more.push(id),
                    longer => more.extend(longer.iter().map(|byte| u32::from(*byte))),
                }
                prop_assert_eq!(mask.has(id), at(&more).1, "token {} after {:?}", id, taken);
            }
            let allowed: Vec<u32> = (0..END).filter(|id| mask.has(*id)).collect();
            if allowed.is_empty() {
                break;
            }
            taken.push(allowed[usize::from(pick) % allowed.len()]);
        }
    }

    /// Tokens of any bytes, most of them such as count within texts or close them, against a walk byte by byte.
    #[test]
    fn masks_within_texts_are_those_of_a_walk_byte_by_byte(
        tokens in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            4 => Just(b'"'), 2 => Just(b'\\'), 3 => Just(b'a'), 2 => Just(b','), 1 => Just(b']'), 1 => Just(b'}'),
            1 => Just(b':'), 1 => Just(b'n'), 1 => Just(0xc3u8), 1 => Just(0xa9u8), 1 => Just(0xf0u8), 1 => any::<u8>(),
        ], 1..7), 1..60),
        bounds in proptest::collection::vec((0u32..5, 0u32..9), 1..5),
        open in any::<bool>(),
        picks in proptest::collection::vec(any::<u16>(), 1..24),
    ) {
        // Several texts at once, within a list of them, whose bounds differ.
        let mut texts: Vec<Value> = bounds
            .iter()
            .map(|(min, more)| json!({"type": "string", "minLength": min, "maxLength": min + more}))
            .collect();
        if open {
            texts.push(json!({"type": "string", "minLength": bounds[0].0}));
            texts.push(json!({"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}}));
        }
        let schema = json!({"type": "array", "items": {"anyOf": texts}, "maxItems": 4});
        let schema = Arc::new(read(&schema.to_string()).unwrap());
        // Behind the 256 bytes and the end.
        let all = |id: u32| match id {
            0..=END => bytes(id),
            _ => tokens.get((id - END - 1) as usize).map_or(&[][..], Vec::as_slice),
        };
        let size = END as usize + 1 + tokens.len();
        let vocabulary = Arc::new(Vocabulary::new(size, END, all));
        let mut taken: Vec<u32> = vec![u32::from(b'['), u32::from(b'"')];
        let follow = |tokens: &[u32]| {
            let mut constraint = Constraint::new(schema.clone(), vocabulary.clone());
            let whole = tokens.iter().all(|token| constraint.take(*token));
            (constraint, whole)
        };
        for pick in picks {
            let mask = follow(&taken).0.mask().unwrap();
            for id in (0..size as u32).filter(|id| *id != END) {
                let mut more = taken.clone();
                more.extend(all(id).iter().map(|byte| u32::from(*byte)));
                prop_assert_eq!(mask.has(id), !all(id).is_empty() && follow(&more).1, "token {:?} after {:?}", all(id), taken);
            }
            let allowed: Vec<u32> = (0..size as u32).filter(|id| *id != END && mask.has(*id)).collect();
            let Some(next) = allowed.get(usize::from(pick) % allowed.len().max(1)) else { break };
            taken.push(*next);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_as_a_schema(text in "[\\{\\}\\[\\]\":,a-z0-9$#/]{0,60}") {
        let _ = read(&text);
    }
}

/// The masks of one answer, hashed: for each byte of it the tokens that might have stood there, rising, as four
/// bytes each, then 0xffffffff; at last those that may follow it.
fn masks(schema: &str, answer: &str) -> String {
    let mut constraint = bound(&read(schema).unwrap());
    let mut hash = Sha256::new();
    let mut note = |constraint: &mut Constraint| {
        let mask = constraint.mask().unwrap();
        (0..=END).filter(|id| mask.has(*id)).for_each(|id| hash.update(id.to_be_bytes()));
        hash.update(u32::MAX.to_be_bytes());
    };
    for byte in answer.bytes() {
        note(&mut constraint);
        assert!(constraint.take(byte.into()), "{answer}");
    }
    note(&mut constraint);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A release that changes a mask needs another name of the sampler: answers of this one are replayed for as long as
/// their receipts can be disputed.
#[test]
fn rule_s5_masks_stay_those_of_the_vectors() {
    let file: Value = serde_json::from_str(&std::fs::read_to_string("vectors/masks.json").unwrap()).unwrap();
    let entries = file["masks"].as_array().unwrap();
    assert!(entries.len() >= 6);
    // The schema stands as a text: the order of its members counts.
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_string();
    let found: Vec<String> =
        entries.iter().map(|entry| masks(&text(entry, "schema"), &text(entry, "answer"))).collect();
    assert_eq!(found, entries.iter().map(|entry| text(entry, "sha256")).collect::<Vec<_>>());
}
