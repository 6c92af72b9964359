//! The parameters of operations, as the document describes them: in a query, a form and a JSON object.

use serde_json::{Map, Value, json};

use crate::http::field::{FieldDescription, Presence, Shape, ValueDescription};

fn reference(value: ValueDescription) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", value.schema_name) })
}

/// The schemas that these parameters refer to, by name.
pub(super) fn schemas(parameters: &[FieldDescription]) -> impl Iterator<Item = (String, Value)> {
    parameters.iter().filter_map(|parameter| match parameter.shape {
        Shape::One(value) | Shape::List { item: value, .. } => {
            Some((value.schema_name.to_owned(), (value.schema)()))
        }
        Shape::Flag => None,
    })
}

/// In a query or a form, where there is only text.
fn in_text(shape: Shape) -> Value {
    match shape {
        Shape::One(value) => reference(value),
        Shape::List { item, max, .. } => {
            json!({ "type": "array", "items": reference(item), "minItems": 1, "maxItems": max })
        }
        Shape::Flag => json!({ "type": "boolean" }),
    }
}

/// In a JSON object, where null is the same as not given.
fn in_json(shape: Shape) -> Value {
    let json_of = |value: ValueDescription| (value.json_schema)(reference(value));
    let mut forms = match shape {
        Shape::One(value) => vec![json_of(value)],
        Shape::List { item, max, may_be_empty } => {
            let min = usize::from(!may_be_empty);
            let list = json!({ "type": "array", "items": json_of(item), "minItems": min, "maxItems": max });
            let text = json!({ "type": "string", "minLength": 1, "description": "a,b,c" });
            // What JSON may have as a number may also stand alone.
            let is_number = json_of(item) != reference(item);
            if is_number { vec![list, reference(item), text] } else { vec![list, text] }
        }
        Shape::Flag => vec![json!({ "type": "boolean" }), json!({ "enum": ["true", "false"] })],
    };
    forms.push(json!({ "type": "null" }));
    json!({ "anyOf": forms })
}

fn is_list(shape: Shape) -> bool {
    matches!(shape, Shape::List { .. })
}

/// The parameters in the query. With a body, one that is needed may be there instead.
pub(super) fn in_query(parameters: &[FieldDescription], with_body: bool) -> Vec<Value> {
    let described = parameters.iter().map(|parameter| {
        let need = match parameter.presence {
            Presence::Required => "always",
            Presence::OneOf => "one of",
            Presence::Optional => "never",
        };
        let mut described = json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "required": parameter.presence == Presence::Required && !with_body,
            "schema": in_text(parameter.shape),
            "example": example_in_json(parameter),
            "x-needed": need,
        });
        if is_list(parameter.shape) {
            described["style"] = json!("form");
            described["explode"] = json!(false);
        }
        described
    });
    described.collect()
}

/// The same parameters in a body, which need not be there.
pub(super) fn in_body(parameters: &[FieldDescription]) -> Value {
    let properties = |schema: fn(Shape) -> Value| {
        let described = parameters.iter().map(|parameter| {
            let mut schema = schema(parameter.shape);
            schema["description"] = json!(parameter.about);
            (parameter.name.to_owned(), schema)
        });
        let properties: Map<_, _> = described.collect();
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    };
    let lists = parameters.iter().filter(|parameter| is_list(parameter.shape));
    let encoding: Map<_, _> = lists
        .map(|parameter| (parameter.name.to_owned(), json!({ "style": "form", "explode": false })))
        .collect();
    let one_of = parameters.iter().find(|parameter| parameter.presence == Presence::OneOf);
    let shown = parameters.iter().filter(|parameter| parameter.presence == Presence::Required).chain(one_of);
    let example: Map<_, _> =
        shown.map(|parameter| (parameter.name.to_owned(), example_in_json(parameter))).collect();
    let form = json!({ "schema": properties(in_text), "encoding": encoding, "example": example });
    json!({
        "description": "Parameters that are not in the query; one that is needed has to be in either. A name in both is a \
                        conflict. At most 256 KiB.",
        "required": false,
        "content": {
            "application/json": { "schema": properties(in_json), "example": example },
            "application/x-www-form-urlencoded": form,
        },
    })
}

fn example_in_json(parameter: &FieldDescription) -> Value {
    match parameter.shape {
        Shape::One(value) => (value.json_example)(parameter.example),
        Shape::List { item, .. } => parameter.example.split(',').map(item.json_example).collect(),
        Shape::Flag => json!(parameter.example == "true"),
    }
}
