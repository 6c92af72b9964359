//! `github.share` and `github.reserve`: parts of the calls that GitHub allows in an hour.

use actions_runner_manager::domain::shares::Shares;

use super::*;

fn shares_of(text: &str) -> Shares {
    config_of(&with_minimal(text)).github.shares
}

#[test]
fn without_settings_they_are_those_that_the_design_states() {
    let stated = Shares { principal: 0.2, team: 0.4, system: 0.2, reserve: 0.1 };
    assert_eq!(config_of(MINIMAL).github.shares, stated);
    assert_eq!(Shares::default(), stated);
}

#[test]
fn any_percentage_is_accepted_and_the_others_keep_their_defaults() {
    let some = shares_of("github: {share: {principal: 5%, team: 100%}, reserve: \"0%\"}");
    assert_eq!(some, Shares { principal: 0.05, team: 1.0, system: 0.2, reserve: 0.0 });
    let other = shares_of("github:\n  share:\n    system: 12.5 %\n  reserve: ' 50% '");
    assert_eq!(other, Shares { system: 0.125, reserve: 0.5, ..Shares::default() });
}

#[test]
fn the_environment_sets_them_too() {
    let environment = [("ARM_GITHUB_SHARE_PRINCIPAL", "30%"), ("ARM_GITHUB_RESERVE", "15%")];
    let loaded = load_bytes(MINIMAL.as_bytes(), &environment).unwrap();
    let expected = Shares { principal: 0.3, reserve: 0.15, ..Shares::default() };
    assert_eq!(loaded.config.github.shares, expected);
    assert_eq!(
        source_of(&loaded, "github.share.principal"),
        Source::Variable("ARM_GITHUB_SHARE_PRINCIPAL".to_owned())
    );
}

#[test]
fn what_is_no_percentage_is_refused_with_its_key_and_what_was_expected() {
    let text = with_minimal(
        "github:\n  share:\n    principal: 20\n    team: \"20\"\n    system: 120%\n  reserve: -1%",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:6: github.share.principal: expected a percentage from 0% to 100%, found 20",
            "config.yml:7: github.share.team: expected a percentage from 0% to 100%, found \"20\"",
            "config.yml:8: github.share.system: expected a percentage from 0% to 100%, found \"120%\"",
            "config.yml:9: github.reserve: expected a percentage from 0% to 100%, found \"-1%\"",
            "4 problems in the configuration",
        ],
    );
    let text = with_minimal(
        "github:\n  share:\n    principal: 0.2\n    team: \"%\"\n    system: NaN%\n  reserve: [10%]",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:6: github.share.principal: expected a percentage from 0% to 100%, found 0.2",
            "config.yml:7: github.share.team: expected a percentage from 0% to 100%, found \"%\"",
            "config.yml:8: github.share.system: expected a percentage from 0% to 100%, found \"NaN%\"",
            "config.yml:9: github.reserve: expected a percentage from 0% to 100%, found a list",
            "4 problems in the configuration",
        ],
    );
    assert_lines(
        &problems_with(&[("ARM_GITHUB_SHARE_TEAM", "0.4")]),
        &[
            "ARM_GITHUB_SHARE_TEAM: github.share.team: expected a percentage from 0% to 100%, found \"0.4\"",
            "1 problem in the configuration",
        ],
    );
}

#[test]
fn an_unknown_share_is_named_with_the_keys_that_there_are() {
    let problems = problems_of(&with_minimal("github: {share: {user: 20%}}"));
    assert!(problems.starts_with("config.yml:4: github.share.user: "), "{problems}");
}
