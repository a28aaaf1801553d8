//! Whether a table of permissions has a row for every message. The tests of every contract include this
//! file.

use std::collections::BTreeSet;

use cosmwasm_schema::schemars::{schema_for, JsonSchema};
use cosmwasm_schema::serde::Serialize;
use cosmwasm_std::{from_json, to_json_vec};

/// Names of all messages of this type, as its JSON schema lists them.
pub fn all<T: JsonSchema>() -> BTreeSet<String> {
    let forms = schema_for!(T).schema.subschemas.and_then(|forms| forms.one_of).unwrap_or_default();
    let forms = forms.into_iter().filter_map(|form| form.into_object().object);
    forms.flat_map(|form| form.required).collect()
}

/// Names of these messages.
pub fn told<'a, T: Serialize + 'a>(messages: impl IntoIterator<Item = &'a T>) -> BTreeSet<String> {
    let name = |message: &T| {
        let json = to_json_vec(message).unwrap_or_default();
        // A message is an object with one key.
        let message: std::collections::BTreeMap<String, Anything> = from_json(json).unwrap_or_default();
        message.into_keys().next().unwrap_or_default()
    };
    messages.into_iter().map(name).collect()
}

/// Any JSON value, not looked at.
struct Anything;

impl<'de> cosmwasm_schema::serde::Deserialize<'de> for Anything {
    fn deserialize<D: cosmwasm_schema::serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_ignored_any(cosmwasm_schema::serde::de::IgnoredAny).map(|_| Anything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_schema::cw_serde;

    #[cw_serde]
    enum Msg {
        Nothing {},
        Much { deep: Vec<Option<String>>, whole: u64 },
        Wrapped(Vec<u64>),
    }

    #[test]
    fn a_message_without_a_row_is_missed() {
        let much = Msg::Much { deep: vec![None, Some("a\"}".into())], whole: 1 };
        let rows = [Msg::Nothing {}, much, Msg::Wrapped(vec![1])];
        assert_eq!(told(&rows), all::<Msg>());
        assert_ne!(told(&rows[..2]), all::<Msg>());
        assert_eq!(all::<Msg>().len(), 3);
    }
}
