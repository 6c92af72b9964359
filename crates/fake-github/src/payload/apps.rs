//! The App and its installations.

use serde_json::{Value, json};

use super::{MADE, WEB, node_id, object, organization_account};
use crate::world::{Installation, World};

/// The App's client id, which newer scripts use as the JWT's issuer.
pub(crate) fn client_id(world: &World) -> String {
    format!("Iv23li{:014}", world.app.id)
}

fn permissions(installation: &Installation) -> Value {
    object(installation.permissions.iter().map(|(name, level)| (name.clone(), json!(level.name()))))
}

pub(crate) fn integration(base: &str, world: &World) -> Value {
    let app = &world.app;
    let granted = app.on(&world.org.login).map_or_else(|| json!({}), permissions);
    json!({
        "id": app.id,
        "slug": app.slug,
        "client_id": client_id(world),
        "node_id": node_id("Integration", app.id),
        "owner": organization_account(base, &world.org),
        "name": "Runner Manager",
        "description": null,
        "external_url": "https://example.com/",
        "html_url": format!("{WEB}/apps/{}", app.slug),
        "created_at": MADE,
        "updated_at": MADE,
        "permissions": granted,
        "events": [],
        "installations_count": app.installations.len(),
    })
}

pub(crate) fn installation(base: &str, world: &World, shown: &Installation) -> Value {
    let id = shown.id;
    let account = world.organization(&shown.account);
    json!({
        "id": id.0,
        "account": account.map(|organization| organization_account(base, organization)),
        "repository_selection": if shown.repositories.is_none() { "all" } else { "selected" },
        "access_tokens_url": format!("{base}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{base}/installation/repositories"),
        "html_url": format!("{WEB}/organizations/{}/settings/installations/{id}", shown.account),
        "app_id": world.app.id,
        "client_id": client_id(world),
        "app_slug": world.app.slug,
        "target_id": account.map_or(0, |organization| organization.id),
        "target_type": "Organization",
        "permissions": permissions(shown),
        "events": [],
        "created_at": MADE,
        "updated_at": MADE,
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": shown.suspended_at.and(account).map(|organization| organization_account(base, organization)),
        "suspended_at": shown.suspended_at.map(|at| at.to_rfc3339()),
    })
}
