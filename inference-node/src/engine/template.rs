//! From a chat template in Jinja to a chat format: what the template does is seen by running it on made-up
//! chats, written down, and held against what it does with others.
//!
//! Runs where a model is imported and nowhere else. A template whose form depends on more than who speaks (its
//! own tools, dates, what a message says) is refused by name: such a model is imported without its template.

use minijinja::syntax::SyntaxConfig;
use minijinja::{context, Environment, Error as JinjaError, ErrorKind, Value};
use std::path::Path;

use super::chat::{Around, ChatFormat};
use super::error::{Error, Result};
use super::files::read_bounded;
use crate::request::{Chat, ChatMessage, Speaker};

/// Most bytes of a file that holds a template.
const MAX_TEMPLATE: u64 = 4 << 20;
/// Steps that a template may take for one chat.
const FUEL: u64 = 1_000_000;

pub(crate) fn refuse(what: impl std::fmt::Display) -> Error {
    Error::new(
        "E-MODEL-013",
        format!("the chat template was refused: {what}"),
        "Take the template out of the model's folder to import it without: its chats are then in the plain form.",
    )
}

/// The template of a folder in Hugging Face's layout: `chat_template.jinja`, else `chat_template` in
/// `tokenizer_config.json`; none when it brings none.
pub(crate) fn find(folder: &Path) -> Result<Option<String>> {
    let own = folder.join("chat_template.jinja");
    if own.is_file() {
        let bytes = read_bounded(&own, MAX_TEMPLATE)?;
        return String::from_utf8(bytes).map(Some).map_err(|_| refuse("it is not UTF-8"));
    }
    let settings = folder.join("tokenizer_config.json");
    if !settings.is_file() {
        return Ok(None);
    }
    let settings: serde_json::Value =
        serde_json::from_slice(&read_bounded(&settings, MAX_TEMPLATE)?).map_err(refuse)?;
    Ok(match &settings["chat_template"] {
        serde_json::Value::String(template) => Some(template.clone()),
        serde_json::Value::Array(named) => named
            .iter()
            .find(|entry| entry["name"] == "default")
            .and_then(|entry| entry["template"].as_str())
            .map(String::from),
        _ => None,
    })
}

/// A template that can be run.
struct Jinja<'a> {
    environment: Environment<'a>,
    begin: &'a str,
    end: &'a str,
}

impl Jinja<'_> {
    fn render(&self, messages: &[(Speaker, &str)], answer: bool) -> std::result::Result<String, JinjaError> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|(speaker, content)| {
                let role = match speaker {
                    Speaker::System => "system",
                    Speaker::User => "user",
                    Speaker::Assistant => "assistant",
                };
                context! { role, content => *content }
            })
            .collect();
        self.environment.get_template("chat")?.render(context! {
            messages, add_generation_prompt => answer, bos_token => self.begin, eos_token => self.end,
        })
    }
}

/// What stands between the given contents, in order: one text more than there are contents.
fn around<'t>(mut text: &'t str, contents: &[&str]) -> Option<Vec<&'t str>> {
    let mut parts = Vec::new();
    for content in contents {
        let (before, after) = text.split_once(content)?;
        parts.push(before);
        text = after;
    }
    parts.push(text);
    (contents.iter().all(|c| !text.contains(c))).then_some(parts)
}

/// Longest text that all end with.
fn common_end<'t>(texts: &[&'t str]) -> &'t str {
    let first = texts.first().copied().unwrap_or_default();
    let starts = first.char_indices().map(|(i, _)| i).chain([first.len()]);
    starts.map(|i| &first[i..]).find(|end| texts.iter().all(|t| t.ends_with(end))).unwrap_or_default()
}

/// The chat format of a template in Jinja; `begin` and `end` are the names of the tokens that start and end a
/// text.
///
/// # Errors
/// `E-MODEL-013` naming what cannot be written down as a format.
pub(crate) fn derive(jinja: &str, begin: &str, end: &str) -> Result<ChatFormat> {
    let mut environment = Environment::new();
    // As Hugging Face runs templates.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(refuse)?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |what: String| -> std::result::Result<String, JinjaError> {
        Err(JinjaError::new(ErrorKind::InvalidOperation, what))
    });
    environment.add_template("chat", jinja).map_err(refuse)?;
    let jinja = Jinja { environment, begin, end };
    let with_system = observe(&jinja, true).and_then(|format| {
        compare(&jinja, &format)?;
        Ok(format)
    });
    match with_system {
        Ok(format) => Ok(format),
        // A model may take no message of the system.
        Err(first) => {
            let format = observe(&jinja, false).map_err(|_| first.clone())?;
            compare(&jinja, &format).map_err(|_| first)?;
            Ok(format)
        }
    }
}

/// Reads a format off what the template writes.
fn observe(jinja: &Jinja<'_>, system: bool) -> Result<ChatFormat> {
    use Speaker::{Assistant, System, User};
    let long = [(User, "qa"), (Assistant, "qb"), (User, "qc"), (Assistant, "qd"), (User, "qe")]
        .map(|(speaker, name)| (speaker, probe(name)));
    let messages: Vec<(Speaker, &str)> = long.iter().map(|(s, text)| (*s, text.as_str())).collect();
    let contents: Vec<&str> = messages.iter().map(|(_, text)| *text).collect();
    let plain = jinja.render(&messages, false).map_err(refuse)?;
    let asked = jinja.render(&messages, true).map_err(refuse)?;
    let answer = asked.strip_prefix(&plain).ok_or_else(|| refuse("the answer does not follow the chat"))?;
    let unlike = || refuse("messages do not stand in it once and as they are");
    let parts = around(&plain, &contents).ok_or_else(unlike)?;
    let [first, to_answer, to_question, .., last] = parts.as_slice() else { return Err(unlike()) };
    let framed = match system {
        false => None,
        true => {
            let (frame, question) = (probe("qs"), probe("qa"));
            let text = jinja.render(&[(System, &frame), (User, &question)], false).map_err(refuse)?;
            let parts = around(&text, &[&frame, &question]).ok_or_else(unlike)?;
            let [before, between, _] = parts.as_slice() else { return Err(unlike()) };
            Some((before.to_string(), between.to_string()))
        }
    };
    let mut ends = vec![*to_question, *first];
    ends.extend(framed.iter().map(|(_, between)| between.as_str()));
    // Where an answer's end stops and the next question's beginning starts shows when the answer is the last.
    let ended = jinja.render(messages.get(..2).unwrap_or_default(), false).map_err(refuse)?;
    let answer_after =
        around(&ended, contents.get(..2).unwrap_or_default()).and_then(|parts| parts.last().copied());
    let user_before = answer_after
        .and_then(|after| to_question.strip_prefix(after))
        .filter(|before| ends.iter().all(|end| end.ends_with(before)))
        .unwrap_or_else(|| common_end(&ends));
    let cut = |text: &str| text.strip_suffix(user_before).unwrap_or_default().to_string();
    let opening = cut(first);
    let (begin, without_system, system) = match &framed {
        Some((before, between)) => {
            // What a chat begins with whoever speaks first; the rest of the opening is told by default.
            let both = opening.starts_with(jinja.begin) && before.starts_with(jinja.begin);
            let begin = match before.strip_prefix(opening.as_str()) {
                Some(_) => opening.as_str(),
                None if both => jinja.begin,
                None => "",
            };
            let rest = |text: &str| text.get(begin.len()..).unwrap_or_default().to_string();
            (begin.to_string(), rest(&opening), Some(Around { before: rest(before), after: cut(between) }))
        }
        None => (opening, String::new(), None),
    };
    let spaced = jinja.render(&[(User, " qa ")], false).map_err(refuse)?;
    Ok(ChatFormat {
        format: 1,
        begin,
        without_system,
        system,
        user: Around { before: user_before.into(), after: (*last).into() },
        assistant: Around {
            before: to_answer
                .strip_prefix(last)
                .ok_or_else(|| refuse("a question ends differently when it is the last"))?
                .into(),
            after: cut(to_question),
        },
        answer: answer.into(),
        trim: !spaced.contains(" qa "),
    })
}

/// A message that stands in no template.
fn probe(name: &str) -> String {
    format!("{name} 7f3d, {name}")
}

/// Holds a format against its template.
fn compare(jinja: &Jinja<'_>, format: &ChatFormat) -> Result<()> {
    use Speaker::{Assistant, System, User};
    let turn =
        |n: usize| [(User, format!("Why {n}?")), (Assistant, format!("Because {n}: <b> {{x}} \u{e9}."))];
    for turns in 0..4 {
        for system in [false, true] {
            if system && format.system.is_none() {
                continue;
            }
            let mut messages: Vec<(Speaker, String)> = Vec::new();
            messages.extend(system.then(|| (System, "Be short.\nBe kind.".to_string())));
            messages.extend((0..turns).flat_map(turn));
            messages.push((User, "And\nnow?".into()));
            let borrowed: Vec<(Speaker, &str)> =
                messages.iter().map(|(s, text)| (*s, text.as_str())).collect();
            let theirs = jinja.render(&borrowed, true).map_err(refuse)?;
            let chat = Chat {
                messages: messages
                    .into_iter()
                    .map(|(speaker, content)| ChatMessage { speaker, content })
                    .collect(),
                going_on: false,
            };
            if format.render(&chat)? != theirs {
                return Err(refuse("its form depends on more than who speaks"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    const LLAMA3: &str = "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
    const ZEPHYR: &str = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}";

    #[test]
    fn the_templates_in_use_become_formats() {
        let format = derive(CHATML, "", "<|im_end|>").unwrap();
        assert_eq!(format.without_system, "<|im_start|>system\nBe kind.<|im_end|>\n");
        assert_eq!(format.user.before, "<|im_start|>user\n");
        assert_eq!(format.answer, "<|im_start|>assistant\n");
        assert!(!format.trim);
        let format = derive(LLAMA3, "<|begin_of_text|>", "<|eot_id|>").unwrap();
        assert!(format.trim && format.begin.starts_with("<|begin_of_text|>"));
        let format = derive(ZEPHYR, "<s>", "</s>").unwrap();
        assert_eq!(format.assistant.after.trim_end(), "</s>");
    }

    #[test]
    fn a_template_that_takes_no_system_is_taken_without() {
        let strict = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ '[' + m.role + ']' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
        let format = derive(strict, "", "").unwrap();
        assert_eq!((format.system, format.answer.as_str()), (None, "[assistant]"));
    }

    #[test]
    fn attack_templates_of_another_kind_are_refused() {
        for hostile in [
            // What a message says decides.
            "{% for m in messages %}{{ m.role }}:{{ m.content if 'Why' not in m.content else 'paid' }}\n{% endfor %}",
            // Endless.
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{{ messages[0].content }}",
            "{% for m in messages %}",
            "{{ 1 / 0 }}",
            "",
        ] {
            assert_eq!(derive(hostile, "", "").unwrap_err().code, "E-MODEL-013", "{hostile}");
        }
    }
}
