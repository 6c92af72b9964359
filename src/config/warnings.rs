//! What is legal and dangerous: one table of rules. `check-config` prints what they find, and `serve` logs it at start.

mod access;
mod files;
mod outside;
mod policy;
mod server;
mod store;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::Config;
use super::diagnostic::Diagnostic;
use super::loaded::Loaded;
use super::origin::{Setting, Source};
use crate::domain::certificate::Validity;

/// A setting, and what looks at it. It gives one sentence for each danger, in which the setting is named.
type Rule = (&'static str, fn(&Facts<'_>) -> Vec<String>);

/// Every rule, in the order of `config.example.yml`.
const RULES: [Rule; 61] = [
    ("token", outside::personal_token),
    ("privateKeyFile", files::private_key),
    ("tokenFile", files::token),
    ("privateKey", files::inline_key),
    ("token", files::inline_token),
    ("github.apiURL", outside::plain_http),
    ("github.apiURL", outside::website),
    ("github.caFile", files::authorities),
    ("github.timeout", outside::short_timeout),
    ("github.concurrency", outside::many_calls),
    ("groups.name", policy::name_without_id),
    ("store.url", store::on_a_network),
    ("store.url", store::inline_password),
    ("store.url", store::in_memory),
    ("store.passwordFile", store::password_file),
    ("store.passwordFile", |facts| store::unused(facts, "store.passwordFile")),
    ("store.caFile", store::authorities),
    ("store.caFile", |facts| store::unused(facts, "store.caFile")),
    ("store.grace", |facts| store::unused(facts, "store.grace")),
    ("store.keep", |facts| store::unused(facts, "store.keep")),
    ("store.mostEvents", |facts| store::unused(facts, "store.mostEvents")),
    ("logging.level", outside::silent_log),
    ("logging.maxBackups", outside::endless_log),
    ("logging.maxSize", outside::short_log),
    ("logging.audit", outside::mixed_audit),
    ("server.rateLimit", server::rate_limit),
    ("server.rateBurst", server::rate_burst),
    ("server.unknownTokenRate", server::unknown_token_rate),
    ("server.trustedProxies", server::trusted_proxies),
    ("server.tls.enabled", server::tls_off),
    ("server.tls.certFile", server::certificate),
    ("server.tls.certFile", files::certificate),
    ("server.tls.keyFile", files::certificate_key),
    ("server.admin.address", server::admin_address),
    ("cache.identity", policy::identity_kept),
    ("cache.refusedIdentity", policy::refused_identity_kept),
    ("cache.team", policy::team_kept),
    ("cache.membership", policy::membership_kept),
    ("cache.refusedMembership", policy::refused_membership_kept),
    ("policy.registrationTokens", policy::registration_tokens),
    ("policy.removalTokens", policy::removal_tokens),
    ("policy.teams.allow", policy::allowed_teams),
    ("policy.teams.deny", policy::denied_teams),
    ("policy.users.allow", policy::allowed_users),
    ("policy.users.deny", policy::denied_users),
    ("policy.repositoryPermission", policy::repository_permission),
    ("policy.jit.labels", policy::no_label),
    ("scopes.allow", policy::scopes_elsewhere),
    ("scopes.allow", policy::scopes_as_regex),
    ("oidc.issuers", access::issuers_without_store),
    ("oidc.issuers", access::another_actions_issuer),
    ("access", access::teams_by_name),
    ("access", access::operations_beyond_policy),
    ("access", access::labels_for_nothing),
    ("access", access::void_entries),
    ("access", access::subjects_like_patterns),
    ("admin.team", policy::administrators_by_name),
    ("sweep.offlineRunners.every", policy::frequent_sweep),
    ("sweep.offlineRunners.offlineFor", policy::hasty_sweep),
    ("sweep.offlineRunners.groups", policy::sweep_of_nothing),
    ("", files::configuration),
];

/// What rules look at.
struct Facts<'a> {
    loaded: &'a Loaded,
    config: &'a Config,
    certificate: Option<Validity>,
    now: DateTime<Utc>,
}

impl Loaded {
    /// What works as set, but that the administrator should know about; to be logged at start. The certificate is
    /// the one that `server.tls.certFile` names, as it is now.
    pub fn warnings(&self, certificate: Option<Validity>) -> Vec<Diagnostic> {
        self.warnings_at(Utc::now(), certificate)
    }

    fn warnings_at(&self, now: DateTime<Utc>, certificate: Option<Validity>) -> Vec<Diagnostic> {
        let facts = Facts { loaded: self, config: &self.config, certificate, now };
        let warning = |key: &str, sentence: &str| {
            let source = self.setting(key).map(|setting| setting.source.clone());
            Diagnostic::new(Some(key.to_owned()), source, sentence)
        };
        let found = RULES.iter().flat_map(|(key, look)| {
            look(&facts).into_iter().map(|sentence| warning(key, &sentence)).collect::<Vec<_>>()
        });
        self.surroundings.noticed.iter().cloned().chain(found).collect()
    }

    fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.path == key)
    }

    /// Something wrong with a setting that only shows when it is used.
    pub fn problem(&self, key: &str, message: &str) -> Diagnostic {
        let source = self.setting(key).map(|setting| setting.source.clone());
        Diagnostic::of_setting(key, source, message)
    }
}

impl Facts<'_> {
    /// The value as it was written.
    fn value(&self, key: &str) -> &str {
        self.loaded.setting(key).map_or("", |setting| &setting.value)
    }

    /// Whether the file itself holds this secret.
    fn is_inline(&self, key: &str) -> bool {
        let setting = self.loaded.setting(key).filter(|setting| !setting.value.is_empty());
        setting.is_some_and(|setting| matches!(setting.source, Source::File { .. }))
    }
}

/// The sentence, if the danger is there.
fn warn_if(danger: bool, sentence: impl FnOnce() -> String) -> Vec<String> {
    if danger { vec![sentence()] } else { Vec::new() }
}
