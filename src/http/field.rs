//! A parameter of an operation, declared once: it reads its value, and describes itself in the API's description.

use serde_json::Value as Json;

use super::error::ApiError;
use super::parameters::{MAX_ITEMS, Parameters, invalid, malformed};
use super::value::Value;
use crate::domain::names::{Label, OrgName};
use crate::domain::text::one_line;

/// An item that is not of its form is repeated to the caller up to this length.
const MAX_SHOWN: usize = 64;

/// A parameter whose value is a `T`.
pub(super) struct Field<T> {
    description: FieldDescription,
    take: fn(&FieldDescription, &mut Parameters, &OrgName) -> Result<T, ApiError>,
}

/// What there is to say about a parameter.
#[derive(Clone, Copy)]
pub(super) struct FieldDescription {
    pub(super) name: &'static str,
    pub(super) presence: Presence,
    pub(super) about: &'static str,
    /// As in a query.
    pub(super) example: &'static str,
    pub(super) shape: Shape,
}

/// Whether a parameter has to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Always.
    Required,
    /// It, or another one like it.
    OneOf,
    /// Never.
    Optional,
}

/// What a parameter looks like.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// One value.
    One(ValueDescription),
    /// A list: `a,b,c` where there is only text, and also an array in JSON.
    List {
        /// Of what.
        item: ValueDescription,
        /// At most so many.
        max: usize,
        /// Whether a JSON array may be empty.
        may_be_empty: bool,
    },
    /// `true` or `false`.
    Flag,
}

/// The functions of a [`Value`] type that describe it.
#[derive(Clone, Copy)]
pub(super) struct ValueDescription {
    pub(super) schema_name: &'static str,
    pub(super) schema: fn() -> Json,
    pub(super) json_schema: fn(Json) -> Json,
    pub(super) json_example: fn(&str) -> Json,
}

impl ValueDescription {
    const fn of<V: Value>() -> Self {
        Self {
            schema_name: V::SCHEMA_NAME,
            schema: V::schema,
            json_schema: V::json_schema,
            json_example: V::json_example,
        }
    }
}

impl<T> Field<T> {
    /// For a parameter that may be left out if another one like it is given.
    pub(super) const fn one_of(mut self) -> Self {
        self.description.presence = Presence::OneOf;
        self
    }

    /// What there is to say about it.
    pub(super) fn description(&self) -> FieldDescription {
        self.description
    }

    /// Takes its value out of what was sent.
    pub(super) fn take(&self, sent: &mut Parameters, org: &OrgName) -> Result<T, ApiError> {
        (self.take)(&self.description, sent, org)
    }
}

impl<V: Value> Field<V> {
    /// A value that must be given.
    pub(super) const fn required(name: &'static str, about: &'static str, example: &'static str) -> Self {
        let shape = Shape::One(ValueDescription::of::<V>());
        let description = FieldDescription { name, presence: Presence::Required, about, example, shape };
        Self { description, take: take_required::<V> }
    }
}

impl<V: Value> Field<Option<V>> {
    /// A value that may be omitted.
    pub(super) const fn optional(name: &'static str, about: &'static str, example: &'static str) -> Self {
        let shape = Shape::One(ValueDescription::of::<V>());
        let description = FieldDescription { name, presence: Presence::Optional, about, example, shape };
        Self { description, take: take_optional::<V> }
    }
}

impl Field<bool> {
    /// `true` or `false`; false when omitted.
    pub(super) const fn flag(name: &'static str, about: &'static str, example: &'static str) -> Self {
        let shape = Shape::Flag;
        let description = FieldDescription { name, presence: Presence::Optional, about, example, shape };
        Self { description, take: |field, sent, _| sent.optional_flag(field.name) }
    }
}

impl<V: Value> Field<Vec<V>> {
    const fn some_list(
        name: &'static str,
        about: &'static str,
        example: &'static str,
        (presence, may_be_empty): (Presence, bool),
    ) -> Self {
        let shape = Shape::List { item: ValueDescription::of::<V>(), max: MAX_ITEMS, may_be_empty };
        let description = FieldDescription { name, presence, about, example, shape };
        Self { description, take: take_list::<V> }
    }

    /// A list that must be given, with at least one item.
    pub(super) const fn list(name: &'static str, about: &'static str, example: &'static str) -> Self {
        Self::some_list(name, about, example, (Presence::Required, false))
    }

    /// A list that must be given; in JSON it may be empty.
    pub(super) const fn list_or_none(name: &'static str, about: &'static str, example: &'static str) -> Self {
        Self::some_list(name, about, example, (Presence::Required, true))
    }

    /// A list that may be omitted, which gives an empty one; a list that is given has at least one item.
    pub(super) const fn optional_list(
        name: &'static str,
        about: &'static str,
        example: &'static str,
    ) -> Self {
        Self::some_list(name, about, example, (Presence::Optional, false))
    }

    /// Bounds the number of items.
    pub(super) const fn at_most(mut self, items: usize) -> Self {
        if let Shape::List { max, .. } = &mut self.description.shape {
            *max = items;
        }
        self
    }
}

fn take_required<V: Value>(
    field: &FieldDescription,
    sent: &mut Parameters,
    org: &OrgName,
) -> Result<V, ApiError> {
    take_optional(field, sent, org)?.ok_or(ApiError::MissingParameter(field.name))
}

fn take_optional<V: Value>(
    field: &FieldDescription,
    sent: &mut Parameters,
    org: &OrgName,
) -> Result<Option<V>, ApiError> {
    let text = sent.optional_text(field.name)?;
    let parse =
        |text: String| V::parse(&text, org).map_err(|expected| malformed(field.name, &text, &expected));
    text.map(parse).transpose()
}

fn take_list<V: Value>(
    field: &FieldDescription,
    sent: &mut Parameters,
    org: &OrgName,
) -> Result<Vec<V>, ApiError> {
    let Shape::List { max, may_be_empty, .. } = field.shape else { return Ok(Vec::new()) };
    let Some(items) = sent.optional_list(field.name, V::text_of)? else {
        let is_required = field.presence == Presence::Required;
        return if is_required { Err(ApiError::MissingParameter(field.name)) } else { Ok(Vec::new()) };
    };
    if items.is_empty() && !may_be_empty {
        return Err(invalid(field.name, "expected at least one item"));
    }
    if items.len() > max {
        return Err(invalid(field.name, &format!("expected at most {max} items")));
    }
    let parse = |(index, item): (usize, String)| {
        let number = index + 1;
        V::parse(&item, org).map_err(|expected| {
            if item.is_empty() {
                invalid(field.name, &format!("item {number} is empty"))
            } else {
                let shown = one_line(&item, MAX_SHOWN);
                malformed(field.name, &item, &format!("item {number} (\"{shown}\"): {expected}"))
            }
        })
    };
    items.into_iter().enumerate().map(parse).collect()
}

/// The fields of an operation, all at once: a tuple of [`Field`]s.
pub(super) trait FieldTuple {
    /// Their values.
    type Values;

    /// What there is to say about each.
    fn descriptions(&self) -> Vec<FieldDescription>;

    /// Takes the values out of what was sent.
    fn take(&self, sent: &mut Parameters, org: &OrgName) -> Result<Self::Values, ApiError>;
}

macro_rules! field_tuples {
    ($(($($field:ident)*))*) => {$(
        impl<$($field),*> FieldTuple for ($(Field<$field>,)*) {
            type Values = ($($field,)*);

            #[expect(non_snake_case, reason = "the type parameters name the fields, too")]
            fn descriptions(&self) -> Vec<FieldDescription> {
                let ($($field,)*) = self;
                vec![$($field.description()),*]
            }

            #[expect(non_snake_case, reason = "the type parameters name the fields, too")]
            fn take(&self, sent: &mut Parameters, org: &OrgName) -> Result<Self::Values, ApiError> {
                let ($($field,)*) = self;
                Ok(($($field.take(sent, org)?,)*))
            }
        }
    )*};
}

field_tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G)
    (A B C D E F G H I J K L M N O P)
}

impl FieldTuple for () {
    type Values = ();

    fn descriptions(&self) -> Vec<FieldDescription> {
        Vec::new()
    }

    fn take(&self, _: &mut Parameters, _: &OrgName) -> Result<(), ApiError> {
        Ok(())
    }
}

/// The parameters of an operation in addition to its team. They are read from the fields alone, so none can be used
/// that isn't described.
pub(super) trait ParameterSet: Sized + 'static {
    /// The types of the fields.
    type Fields: FieldTuple;

    /// The fields, in the order in which they are described and checked.
    const FIELDS: Self::Fields;

    /// Checks what no field can check alone.
    fn from_values(values: <Self::Fields as FieldTuple>::Values) -> Result<Self, ApiError>;

    /// The labels that are asked for, which access entries bound.
    fn labels(&self) -> &[Label] {
        &[]
    }

    /// Takes all of them out of what was sent.
    fn take(sent: &mut Parameters, org: &OrgName) -> Result<Self, ApiError> {
        Self::from_values(Self::FIELDS.take(sent, org)?)
    }
}

/// No parameters in addition to the team.
impl ParameterSet for () {
    type Fields = ();

    const FIELDS: () = ();

    fn from_values((): ()) -> Result<Self, ApiError> {
        Ok(())
    }
}
