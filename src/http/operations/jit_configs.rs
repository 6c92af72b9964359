//! JIT configs: runners for one job.

use std::collections::HashSet;

use actix_web::HttpResponse;
use actix_web::http::Method;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag, runners};
use crate::access::Right;
use crate::domain::jit::WorkFolder;
use crate::domain::names::{Label, RunnerName};
use crate::domain::reason::Reason;
use crate::http::ApiError;
use crate::http::envelope::success;
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::OfTeam;
use crate::ops::jit::{self, Wanted};
use crate::ops::runners::RunnerView;

/// GitHub's bound on the labels of one runner.
const MAX_LABELS: usize = 100;

pub(super) struct Generate;

impl ParameterSet for Wanted {
    type Fields = (Field<Vec<Label>>, Field<Option<RunnerName>>, Field<Option<WorkFolder>>);

    const FIELDS: Self::Fields = (
        Field::list(
            "labels",
            "The runner's labels; GitHub adds none of its own. The administrator may allow fewer",
            "self-hosted,linux,x64",
        )
        .at_most(MAX_LABELS),
        Field::optional(
            "name",
            "The runner's name, with the prefix that the administrator set, usually the team and a hyphen; one is \
             made when left out",
            "payments-1",
        ),
        Field::optional("work_folder", "Where the job's files go; _work when left out", "_work"),
    );

    fn from_values(
        (labels, name, work_folder): (Vec<Label>, Option<RunnerName>, Option<WorkFolder>),
    ) -> Result<Self, ApiError> {
        let mut seen = HashSet::new();
        let labels = labels.into_iter().filter(|label| seen.insert(label.to_string())).collect();
        Ok(Self { labels, name, work_folder: work_folder.unwrap_or_default() })
    }

    fn labels(&self) -> &[Label] {
        &self.labels
    }
}

/// A JIT config on its way to the caller: the one place where it is text again.
#[derive(Serialize, ToSchema)]
#[schema(as = JitConfig)]
struct JitConfig {
    /// The runner; it exists, offline, from now on.
    runner: RunnerView,
    /// A secret: what `run.sh --jitconfig` takes.
    #[schema(min_length = 1)]
    encoded_jit_config: String,
}

impl Endpoint for Generate {
    type Standing = OfTeam;
    type Parameters = Wanted;

    const DESCRIPTION: Description = Description {
        name: "jitconfig-generate",
        methods: &[Method::POST],
        right: Right::JitconfigGenerate,
        tag: Tag::Runners,
        summary: "Register a runner for one job",
        about: "In the team's group and no other. The answer has the secret that it starts with: `./run.sh --jitconfig`. \
                After `github_timeout` and `github_error` what GitHub may have registered is removed.",
        reasons: &[Reason::GroupProtected, Reason::GroupNotFound, Reason::RunnerExists],
        response: || {
            let mut runner = runners::example();
            runner["os"] = json!("unknown");
            runner["ephemeral"] = json!(true);
            let example = json!({ "runner": runner, "encoded_jit_config": "eyIucnVubmVyIjoi" });
            ResponseDescription::of::<JitConfig>(example)
        },
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let granted = jit::generate(&admitted.work, admitted.parameters).await?;
        let encoded_jit_config = granted.config.expose_secret().to_owned();
        Ok(success(JitConfig { runner: granted.runner, encoded_jit_config }))
    }
}
