//! From a schema's text to shapes.

use std::collections::HashMap;

use super::{
    quoted, refuse, Id, Json, Member, Schema, Shape, MAX_ALTERNATIVES, MAX_DEPTH, MAX_LIST, MAX_SHAPES,
    MAX_WORDS,
};
use crate::error::Result;

/// Keywords that say nothing about a value, or hold what a `$ref` names.
const SILENT: [&str; 11] = [
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$defs",
    "definitions",
];

/// A depth that no value has.
const ENDLESS: u16 = MAX_DEPTH + 1;

/// The shapes that every schema begins with.
const ANY: Id = 0;
const MAP: Id = 1;

pub(super) fn read(json: &Json) -> Result<Schema> {
    let mut reader = Reader { whole: json, shapes: common(), named: HashMap::new(), read: 0, words: 0 };
    let root = reader.value(json, 0)?;
    finish(reader.shapes, root)
}

pub(super) fn any_object() -> Schema {
    let shapes = common();
    let depths = depths(&shapes);
    Schema { shapes, depths, root: MAP, begun: String::new() }
}

/// Any value, and what it may be.
fn common() -> Vec<Shape> {
    vec![
        Shape::Any(vec![1, 2, 3, 4, 5]),
        Shape::Map(ANY),
        Shape::List { items: ANY, min: 0, max: u32::MAX },
        Shape::Text { min: 0, max: u32::MAX },
        Shape::Number { whole: false },
        words(["true", "false", "null"]),
    ]
}

fn words<const N: usize>(words: [&str; N]) -> Shape {
    Shape::Words(words.iter().map(|word| word.as_bytes().to_vec()).collect())
}

struct Reader<'a> {
    whole: &'a Json,
    shapes: Vec<Shape>,
    /// Shapes that a `$ref` has named.
    named: HashMap<&'a str, Id>,
    /// Schemas read so far, references among them.
    read: usize,
    /// Values of all enums so far.
    words: usize,
}

impl<'a> Reader<'a> {
    fn keep(&mut self, shape: Shape) -> Result<Id> {
        if self.shapes.len() >= MAX_SHAPES {
            return Err(refuse(format!("it comes to more than {MAX_SHAPES} shapes")));
        }
        self.shapes.push(shape);
        Ok(self.shapes.len() as Id - 1)
    }

    fn value(&mut self, json: &'a Json, depth: u16) -> Result<Id> {
        if depth > MAX_DEPTH {
            return Err(refuse(format!("it is nested more than {MAX_DEPTH} deep")));
        }
        self.read += 1;
        if self.read > MAX_SHAPES {
            return Err(refuse(format!("it holds more than {MAX_SHAPES} schemas")));
        }
        let members = match json {
            Json::Bool(true) => return Ok(ANY),
            Json::Bool(false) => return Err(refuse("`false` allows no value")),
            Json::Object(members) => members,
            _ => return Err(refuse("a schema is an object, or `true`")),
        };
        let said: Vec<&str> =
            members.iter().map(|(name, _)| name.as_str()).filter(|name| !SILENT.contains(name)).collect();
        let only = |main: &str, beside: &[&str]| -> Result<()> {
            let other = said.iter().find(|name| **name != main && !beside.contains(name));
            other.map_or(Ok(()), |other| Err(refuse(format!("{other:?} is not taken beside {main:?}"))))
        };
        if said.is_empty() {
            return Ok(ANY);
        }
        if let Some(target) = json.get("$ref") {
            only("$ref", &[])?;
            return self.reference(target, depth);
        }
        if let Some(alternatives) = json.get("anyOf") {
            only("anyOf", &[])?;
            let Json::List(alternatives) = alternatives else { return Err(refuse("anyOf is no array")) };
            let ids = alternatives.iter().map(|one| self.value(one, depth + 1)).collect::<Result<_>>()?;
            return self.keep(Shape::Any(ids));
        }
        let types = types(json.get("type"))?;
        for (name, list) in [("enum", json.get("enum")), ("const", json.get("const"))] {
            let Some(list) = list else { continue };
            only(name, &["type"])?;
            let list = match list {
                Json::List(list) if name == "enum" => list.as_slice(),
                _ if name == "enum" => return Err(refuse("enum is no array")),
                one => std::slice::from_ref(one),
            };
            return self.listed(list, &types);
        }
        if types.is_empty() {
            let name = said.first().copied().unwrap_or_default();
            return Err(refuse(match name {
                "properties" | "required" | "items" | "additionalProperties" => "a type is missing".into(),
                _ => format!("the keyword {name:?} is not enforced"),
            }));
        }
        for name in said.iter().filter(|name| **name != "type") {
            let of = match *name {
                "properties" | "required" | "additionalProperties" => "object",
                "items" | "minItems" | "maxItems" => "array",
                "minLength" | "maxLength" => "string",
                _ => return Err(refuse(format!("the keyword {name:?} is not enforced"))),
            };
            if !types.contains(&of) {
                return Err(refuse(format!("{name:?} stands beside another type than {of}")));
            }
        }
        let mut ids = Vec::new();
        for one in types {
            let shape = match one {
                "null" => words(["null"]),
                "boolean" => words(["true", "false"]),
                "integer" => Shape::Number { whole: true },
                "number" => Shape::Number { whole: false },
                "string" => {
                    let (min, max) = range(json, "minLength", "maxLength")?;
                    Shape::Text { min, max }
                }
                "array" => {
                    let (min, max) = range(json, "minItems", "maxItems")?;
                    let items = json.get("items").map_or(Ok(ANY), |items| self.value(items, depth + 1))?;
                    Shape::List { items, min, max }
                }
                _ => self.object(json, depth)?,
            };
            ids.push(self.keep(shape)?);
        }
        match ids.as_slice() {
            [one] => Ok(*one),
            _ => self.keep(Shape::Any(ids)),
        }
    }

    /// What a `$ref` names, once however often it is named.
    fn reference(&mut self, target: &'a Json, depth: u16) -> Result<Id> {
        let Some(target) = target.as_text() else { return Err(refuse("$ref is no text")) };
        if let Some(id) = self.named.get(target) {
            return Ok(*id);
        }
        let found = match target {
            "#" => Some(self.whole),
            _ => ["$defs", "definitions"].into_iter().find_map(|place| {
                let name = target.strip_prefix("#/")?.strip_prefix(place)?.strip_prefix('/')?;
                self.whole.get(place)?.get(name)
            }),
        };
        let found = found.ok_or_else(|| {
            refuse(format!("{target:?} names neither # nor a schema in $defs or definitions"))
        })?;
        let id = self.keep(Shape::Any(Vec::new()))?;
        self.named.insert(target, id);
        let shape = Shape::Any(vec![self.value(found, depth + 1)?]);
        if let Some(slot) = self.shapes.get_mut(id as usize) {
            *slot = shape;
        }
        Ok(id)
    }

    /// The values of an enum, or the one of a const, that are of one of `types`.
    fn listed(&mut self, list: &[Json], types: &[&str]) -> Result<Id> {
        self.words = self.words.saturating_add(list.len());
        bounded(self.words.min(MAX_WORDS + 1), "values of all enums")?;
        let mut words: Vec<Vec<u8>> = Vec::new();
        for one in list {
            let (kind, word) = match one {
                Json::Null => ("null", b"null".to_vec()),
                Json::Bool(value) => ("boolean", value.to_string().into_bytes()),
                Json::Integer(value) => ("integer", value.to_string().into_bytes()),
                Json::Text(text) => ("string", quoted(text)),
                Json::Number => return Err(refuse("enum and const take whole numbers of 64 bits only")),
                _ => return Err(refuse("enum and const take no objects and arrays")),
            };
            let meant = types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
            if (types.is_empty() || meant) && !words.contains(&word) {
                words.push(word);
            }
        }
        if words.is_empty() {
            return Err(refuse("an enum or const allows no value of its type"));
        }
        self.keep(Shape::Words(words))
    }

    fn object(&mut self, json: &'a Json, depth: u16) -> Result<Shape> {
        let properties: &'a [(String, Json)] = match json.get("properties") {
            None => &[],
            Some(Json::Object(properties)) => properties,
            Some(_) => return Err(refuse("properties is no object")),
        };
        bounded(properties.len(), "properties of an object")?;
        let mut required = Vec::new();
        match json.get("required") {
            None => {}
            Some(Json::List(names)) => {
                bounded(names.len(), "required members")?;
                for name in names {
                    let name = name.as_text().ok_or_else(|| refuse("required is no array of texts"))?;
                    if !properties.iter().any(|(known, _)| known == name) {
                        return Err(refuse(format!("{name:?} is required and not in properties")));
                    }
                    required.push(name);
                }
            }
            Some(_) => return Err(refuse("required is no array")),
        }
        let others = json.get("additionalProperties");
        if properties.is_empty() && others != Some(&Json::Bool(false)) {
            return Ok(Shape::Map(others.map_or(Ok(ANY), |shape| self.value(shape, depth + 1))?));
        }
        let members = properties.iter().map(|(name, shape)| {
            let shape = self.value(shape, depth + 1)?;
            Ok(Member { name: quoted(name), shape, required: required.contains(&name.as_str()) })
        });
        Ok(Shape::Object(members.collect::<Result<_>>()?))
    }
}

/// The types that `type` names, each once; none when it is missing.
fn types(said: Option<&Json>) -> Result<Vec<&str>> {
    let all = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let list = match said {
        None => return Ok(Vec::new()),
        Some(Json::List(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut types = Vec::new();
    for one in list {
        let one = one.as_text().filter(|one| all.contains(one)).ok_or_else(|| refuse("an unknown type"))?;
        if !types.contains(&one) {
            types.push(one);
        }
    }
    match types.is_empty() {
        true => Err(refuse("type names none")),
        false => Ok(types),
    }
}

/// Refuses lists that are searched one by one and too long for that.
fn bounded(count: usize, what: &str) -> Result<()> {
    match count <= MAX_LIST {
        true => Ok(()),
        false => Err(refuse(format!("there are more than {MAX_LIST} {what}"))),
    }
}

/// Two bounds; 0 and no bound when they are missing.
fn range(json: &Json, min: &str, max: &str) -> Result<(u32, u32)> {
    let bound = |name: &str, usual: u32| match json.get(name) {
        None => Ok(usual),
        Some(Json::Integer(value)) => u32::try_from(*value)
            .ok()
            .filter(|value| *value < u32::MAX)
            .ok_or_else(|| refuse(format!("{name} must lie within 0 and {}", u32::MAX - 1))),
        Some(_) => Err(refuse(format!("{name} is no whole number"))),
    };
    let (least, most) = (bound(min, 0)?, bound(max, u32::MAX)?);
    match least <= most {
        true => Ok((least, most)),
        false => Err(refuse(format!("{min} is above {max}"))),
    }
}

/// Resolves choices among choices, and refuses what no finite value meets.
fn finish(mut shapes: Vec<Shape>, root: Id) -> Result<Schema> {
    let flat: Vec<Option<Vec<Id>>> = (0..shapes.len() as Id)
        .map(|id| match shapes.get(id as usize) {
            Some(Shape::Any(_)) => alternatives(&shapes, id).map(Some),
            _ => Ok(None),
        })
        .collect::<Result<_>>()?;
    for (shape, ids) in shapes.iter_mut().zip(flat) {
        if let Some(ids) = ids {
            *shape = Shape::Any(ids);
        }
    }
    let depths = depths(&shapes);
    let schema = Schema { shapes, depths, root, begun: String::new() };
    match schema.fits(root, 0) {
        true => Ok(schema),
        false => Err(refuse(format!("no value of at most {MAX_DEPTH} levels meets it"))),
    }
}

/// The alternatives of a choice that are no choices, in the order of the text.
fn alternatives(shapes: &[Shape], id: Id) -> Result<Vec<Id>> {
    let (mut found, mut seen, mut todo) = (Vec::new(), vec![false; shapes.len()], vec![id]);
    while let Some(id) = todo.pop() {
        if seen.get_mut(id as usize).is_none_or(|seen| std::mem::replace(seen, true)) {
            continue;
        }
        match shapes.get(id as usize) {
            Some(Shape::Any(ids)) => todo.extend(ids.iter().rev()),
            _ => found.push(id),
        }
    }
    match found.len() <= MAX_ALTERNATIVES {
        true => Ok(found),
        false => Err(refuse(format!("a value has more than {MAX_ALTERNATIVES} alternatives"))),
    }
}

/// See [`Schema::depths`]; [`ENDLESS`] where every value would be deeper than is allowed.
fn depths(shapes: &[Shape]) -> Vec<u16> {
    let mut depths = vec![ENDLESS; shapes.len()];
    loop {
        let mut changed = false;
        for (at, shape) in shapes.iter().enumerate() {
            let of = |id: &Id| depths.get(*id as usize).copied().unwrap_or(ENDLESS);
            let deeper = |inner: u16| (inner + 1).min(ENDLESS);
            let depth = match shape {
                Shape::Words(_) | Shape::Text { .. } | Shape::Number { .. } => 0,
                Shape::Map(_) | Shape::List { min: 0, .. } => 1,
                Shape::List { items, .. } => deeper(of(items)),
                Shape::Object(members) => {
                    let inner = members.iter().filter(|member| member.required).map(|m| of(&m.shape)).max();
                    deeper(inner.unwrap_or(0))
                }
                Shape::Any(ids) => ids.iter().map(of).min().unwrap_or(ENDLESS),
            };
            if let Some(slot) = depths.get_mut(at).filter(|slot| depth < **slot) {
                *slot = depth;
                changed = true;
            }
        }
        if !changed {
            return depths;
        }
    }
}
