//! `response_format` of a body. Pure.

use std::sync::Arc;

use super::{field, Chat};
use crate::engine::{Json, Schema};
use crate::fault::Result;

/// What `response_format` binds the answer by. Only chats can be bound: where the answer of a completion begins
/// cannot be told from its prompt when another node goes on with it.
pub(super) fn schema(format: Option<&Json>, chat: Option<&Chat>) -> Result<Option<Arc<Schema>>> {
    const CODE: &str = "E-REQ-015";
    let Some(format) = format.filter(|format| **format != Json::Null) else { return Ok(None) };
    let kind = format.get("type").and_then(Json::as_text);
    let read = match kind {
        Some("text") => return Ok(None),
        Some("json_object") => Ok(Schema::any_object()),
        Some("json_schema") => {
            let schema = format.get("json_schema").and_then(|named| named.get("schema"));
            Schema::read(schema.ok_or_else(|| field(CODE, "response_format.json_schema.schema is missing"))?)
        }
        _ => return Err(field(CODE, "response_format must be of type text, json_object or json_schema")),
    };
    let Some(chat) = chat else {
        return Err(field(CODE, "response_format other than text is taken by /v1/chat/completions only"));
    };
    let begun = chat.messages.last().filter(|_| chat.going_on).map_or("", |last| last.content.as_str());
    let schema = read.and_then(|schema| schema.after(begun));
    schema.map(Arc::new).map(Some).map_err(|error| field(CODE, format!("response_format: {}", error.what)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::request::{parse, Endpoint};

    #[test]
    fn a_chat_is_bound_by_the_schema_that_it_names() {
        let chat = |more: &str| {
            let body = format!(r#"{{"model":"1","messages":[{{"role":"user","content":"Hi"}}]{more}}}"#);
            parse(Endpoint::Chat, body.as_bytes())
        };
        let format = |format: &str| chat(&format!(r#","response_format":{format}"#));
        assert_eq!(format("null").unwrap().schema, None);
        assert_eq!(format(r#"{"type":"text"}"#).unwrap().schema, None);
        assert_eq!(format(r#"{"type":"json_object"}"#).unwrap().schema, Some(Arc::new(Schema::any_object())));
        let named = r#"{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"integer"}}}"#;
        assert!(format(named).unwrap().schema.is_some());
        for (bad, why) in [
            (r#"{"type":"grammar"}"#, "of type"),
            (r#"{}"#, "of type"),
            ("7", "of type"),
            (r#"{"type":"json_schema"}"#, "missing"),
            (
                r#"{"type":"json_schema","json_schema":{"schema":{"type":"string","pattern":"(a*)*"}}}"#,
                "pattern",
            ),
        ] {
            let fault = format(bad).unwrap_err();
            assert_eq!(fault.code, "E-REQ-015", "{bad}");
            assert!(fault.what.contains(why), "{bad}: {}", fault.what);
        }
        // Where it goes on, what is there already must begin such an answer.
        let on = |begun: &str| {
            let begun = Value::String(begun.into());
            let body = format!(
                r#"{{"model":"1","continue_final_message":true,"response_format":{named},
                    "messages":[{{"role":"assistant","content":{begun}}}]}}"#
            );
            parse(Endpoint::Chat, body.as_bytes())
        };
        assert_ne!(on("-1").unwrap().schema, on("1").unwrap().schema);
        assert_eq!(on("x").unwrap_err().code, "E-REQ-015");
        let completion = r#"{"model":"1","prompt":"a","response_format":{"type":"json_object"}}"#;
        assert_eq!(parse(Endpoint::Completions, completion.as_bytes()).unwrap_err().code, "E-REQ-015");
    }
}
