//! What a token says of its holder, once its signature was found good.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ids::{OrganisationId, RepositoryId, UserId};

/// The claims of a token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// These claims.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// A claim that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A claim that is text, or a boolean as `true` or `false`. Other kinds are compared with nothing.
    pub fn comparable(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.0.get(name)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Bool(truth) => Some(Cow::Owned(truth.to_string())),
            _ => None,
        }
    }

    /// A claim of any kind.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The repository of an Actions token, by its id.
    pub fn repository_id(&self) -> Option<RepositoryId> {
        self.id("repository_id").map(RepositoryId)
    }

    /// The account that owns the repository of an Actions token.
    pub fn repository_owner_id(&self) -> Option<OrganisationId> {
        self.id("repository_owner_id").map(OrganisationId)
    }

    /// The user who started the run of an Actions token.
    pub fn actor_id(&self) -> Option<UserId> {
        self.id("actor_id").map(UserId)
    }

    /// Every id in an Actions token is text. What is written in another way, such as `007` or `+7`, is no id.
    fn id(&self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        let id: u64 = text.parse().ok()?;
        (id.to_string() == text).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        let Value::Object(map) = value else { panic!() };
        Claims::new(map)
    }

    #[test]
    fn an_id_is_text_of_digits_and_nothing_else() {
        assert_eq!(claims(json!({"repository_id": "7"})).repository_id(), Some(RepositoryId(7)));
        for bad in [
            json!(7),
            json!("007"),
            json!("+7"),
            json!(" 7"),
            json!("7.0"),
            json!(""),
            json!(null),
            json!(["7"]),
        ] {
            assert_eq!(claims(json!({ "repository_id": bad })).repository_id(), None, "{bad}");
        }
    }

    #[test]
    fn text_and_booleans_are_compared_and_nothing_else() {
        let claims = claims(json!({"a": "x", "b": true, "c": 1, "d": ["x"], "e": null}));
        let of = |name| claims.comparable(name).map(Cow::into_owned);
        assert_eq!((of("a").as_deref(), of("b").as_deref()), (Some("x"), Some("true")));
        for name in ["c", "d", "e", "f"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
