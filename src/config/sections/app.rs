//! The keys at the top of the file with which the service authenticates itself to GitHub.

use crate::config::Target;
use crate::config::credentials::{self, Credentials, PrivateKeySource, TokenSource};
use crate::config::reader::{Found, Invalid, Reader, Valid};
use crate::config::values::whole;

/// The App or the token. What the environment sets replaces the file's, even if it is of the other kind.
pub(super) fn credentials_section(reader: &mut Reader) -> Valid<Credentials> {
    let app_id = reader.find("appID");
    let installation_id = reader.find("installationID");
    let key = reader.either(["privateKey", "privateKeyFile"]);
    let token = reader.either(["token", "tokenFile"]);

    let of_app = || app_id.iter().chain(&key);
    let app_from_environment = of_app().any(|found| !found.is_from_file());
    let token_from_environment = token.as_ref().is_some_and(|found| !found.is_from_file());
    if let (Some(token), Some(app)) = (&token, of_app().next())
        && app_from_environment == token_from_environment
    {
        let app = of_app().find(|found| found.is_from_file() == token.is_from_file()).unwrap_or(app);
        let message = format!("contradicts {}: set either the App or a token", app.name());
        reader.complain(Some(token.origin.clone()), token.key, message);
    }
    warn_of_other_kind(reader, token.as_ref(), [app_id.as_ref(), key.as_ref()]);
    match token {
        Some(token) if token_from_environment || of_app().next().is_none() => {
            for unused in ["appID", "installationID"].into_iter().chain(key.iter().map(|found| found.key)) {
                reader.unused(unused);
            }
            token_credentials(reader, &token)
        }
        _ => {
            if let Some(found) = token {
                reader.unused(found.key);
            }
            app_credentials(reader, app_id.as_ref(), installation_id.as_ref(), key.as_ref())
        }
    }
}

/// Warns if a variable replaces the file's credential by one of the other kind.
fn warn_of_other_kind(reader: &mut Reader, token: Option<&Found>, app: [Option<&Found>; 2]) {
    let from_file = |found: &&Found| found.is_from_file();
    let app_of = |file: bool| app.into_iter().flatten().find(|found| found.is_from_file() == file);
    let Some(token) = token else { return };
    if !from_file(&token)
        && app_of(false).is_none()
        && let Some(app) = app_of(true)
    {
        let place = reader.place_of(app);
        let message = format!(
            "replaces the GitHub App of the file ({}, {place}): the service acts with a personal access token",
            app.key
        );
        reader.warn_of_variable(token, &message);
    }
    if from_file(&token)
        && let Some(app) = app_of(false)
    {
        let place = reader.place_of(token);
        let message =
            format!("replaces the {} of the file ({place}): the service acts as a GitHub App", token.key);
        reader.warn_of_variable(app, &message);
    }
}

fn token_credentials(reader: &mut Reader, found: &Found) -> Valid<Credentials> {
    if found.key == "token" {
        return reader
            .read_secret(found, credentials::token)
            .map(TokenSource::Inline)
            .map(Credentials::Token);
    }
    let source = TokenSource::File(reader.read_path(found)?);
    if let Err(error) = source.read() {
        reader.complain(Some(found.origin.clone()), found.key, error.to_string());
    }
    Ok(Credentials::Token(source))
}

fn app_credentials(
    reader: &mut Reader,
    app_id: Option<&Found>,
    installation_id: Option<&Found>,
    key: Option<&Found>,
) -> Valid<Credentials> {
    let id = whole::<u64>(1, u64::MAX);
    match (app_id, key) {
        (None, None) => {
            reader.missing("appID", "appID and privateKey (or privateKeyFile) of a GitHub App, or a token");
        }
        (None, Some(_)) => reader.missing("appID", "the GitHub App's id"),
        (Some(_), None) => reader.missing("privateKey", "the GitHub App's private key, or privateKeyFile"),
        (Some(_), Some(_)) => {}
    }
    if installation_id.is_none() {
        reader.unused("installationID");
    }
    let app_id = app_id.map(|found| reader.read(found, &id));
    let private_key = key.map(|found| private_key(reader, found));
    let installation_id = installation_id.map(|found| reader.read(found, &id)).transpose();
    Ok(Credentials::App {
        app_id: app_id.ok_or(Invalid)??,
        installation_id: installation_id?,
        private_key: private_key.ok_or(Invalid)??,
    })
}

fn private_key(reader: &mut Reader, found: &Found) -> Valid<PrivateKeySource> {
    let source = match found.key {
        "privateKey" => PrivateKeySource::Inline(reader.read_secret(found, credentials::private_key)?),
        _ => PrivateKeySource::File(reader.read_path(found)?),
    };
    match source.read() {
        Ok(_) => reader.refer(found.key, Target::PrivateKey(source.clone())),
        Err(error) => reader.complain(Some(found.origin.clone()), found.key, error.to_string()),
    }
    Ok(source)
}
