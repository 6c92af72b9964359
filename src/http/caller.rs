//! Whoever sends a request, as lines of the log name them.

use std::sync::Arc;

use crate::access::{Requester, Workload};
use crate::domain::text::one_line;
use crate::request::{Caller, Run, Workload as Facts};

/// Characters of a claim that lines of the log show. What issuers sign can be longer than a line may be.
const MAX_SHOWN: usize = 200;

/// The facts of a request's caller.
pub(super) fn caller_of(requester: &Requester) -> Caller {
    match requester {
        Requester::User(caller) => Caller::User { id: caller.id(), login: caller.login().clone() },
        Requester::Workload(workload) => {
            Caller::Workload(Arc::new(facts_of(workload, requester.principal())))
        }
        Requester::TokenHolder(holder) => Caller::TokenHolder(holder.entry()),
    }
}

fn facts_of(workload: &Workload, principal: crate::account::Principal) -> Facts {
    let run = workload.repository().map(|id| {
        let claim = |name: &str| one_line(workload.claims().text(name).unwrap_or_default(), MAX_SHOWN);
        Run {
            repository: claim("repository"),
            repository_id: id.to_string(),
            event_name: claim("event_name"),
            git_ref: claim("ref"),
            sha: claim("sha"),
            environment: claim("environment"),
            workflow_ref: claim("workflow_ref"),
            job_workflow_ref: claim("job_workflow_ref"),
            run_id: claim("run_id"),
            run_attempt: claim("run_attempt"),
            actor: claim("actor"),
            actor_id: claim("actor_id"),
        }
    });
    let subject = one_line(workload.subject(), MAX_SHOWN);
    let name = run.as_ref().map_or_else(|| subject.clone(), |run| run.repository.clone());
    Facts { principal, name, issuer: workload.issuer().name.clone(), subject, run }
}
