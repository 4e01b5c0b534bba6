//! The documentation is true: its references are generated from the code, its links lead
//! somewhere, and what a user can meet has a page. `UPDATE=1 cargo test --test docs` writes the
//! references anew.
#![cfg(feature = "kubernetes")]

mod docs {
    pub(crate) mod links;
    pub(crate) mod metrics;
    pub(crate) mod resource;
    pub(crate) mod settings;
}

use docs::{links, metrics, resource, settings};
use paifang::{model::condition::Reason, resource::schema};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Compares a generated page with the one in the repository, or writes it.
fn check(name: &str, text: &str) {
    let path = root().join("docs/reference").join(name);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the folder must be writable");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{} is not current: run UPDATE=1 cargo test --test docs", path.display());
}

#[test]
fn the_settings_reference_is_current() {
    check("settings.md", &settings::page());
}

#[test]
fn the_metrics_reference_is_current() {
    check("metrics.md", &metrics::page());
}

#[test]
fn the_gatewayroute_reference_is_current() {
    check("gatewayroute.md", &resource::page());
}

#[test]
fn every_metric_that_dashboards_and_alerts_use_is_exposed() {
    let families = metrics::families();
    let wanted = fs::read_to_string(root().join("tests/chart/metrics.txt")).unwrap();
    let mut wrong = Vec::new();
    for line in wanted.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, kind) = line.split_once(' ').unwrap_or((line, ""));
        match families.iter().find(|family| family.name == name) {
            None => wrong.push(format!("{name} is not exposed")),
            Some(family) if !kind.is_empty() && family.kind != kind => {
                wrong.push(format!("{name} is a {}, not a {kind}", family.kind));
            }
            Some(_) => {}
        }
    }
    none(&wrong);
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    none(&links::broken(&root()));
}

#[test]
fn every_page_is_linked_from_another() {
    none(&links::orphans(&root()));
}

#[test]
fn every_route_in_the_pages_is_one_that_the_api_server_takes() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages(&root()) {
        let text = fs::read_to_string(&page).unwrap_or_default();
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for document in blocks.flat_map(|block| block.split("---\n")).filter(|block| block.contains("GatewayRoute\n")) {
            let route: serde_json::Value = serde_saphyr::from_str(document).unwrap();
            let violations = schema::check_gateway_route(&route);
            wrong.extend(violations.iter().map(|violation| format!("{}: {violation}", page.display())));
            seen += 1;
        }
    }
    none(&wrong);
    assert!(seen >= 4, "the examples have moved");
}

/// Whether a reason says that something is wrong. A new word has to be put on one side.
const fn is_trouble(reason: Reason) -> bool {
    match reason {
        Reason::Accepted | Reason::ResolvedRefs | Reason::Programmed | Reason::Pending => false,
        Reason::UnsupportedValue
        | Reason::Invalid
        | Reason::BackendNotFound
        | Reason::InvalidCertificateRef
        | Reason::RefNotPermitted
        | Reason::InvalidKind
        | Reason::UnsupportedProtocol
        | Reason::Conflicted
        | Reason::LastGoodServed => true,
    }
}

const REASONS: [Reason; 13] = [
    Reason::Accepted,
    Reason::ResolvedRefs,
    Reason::Programmed,
    Reason::Pending,
    Reason::UnsupportedValue,
    Reason::Invalid,
    Reason::BackendNotFound,
    Reason::InvalidCertificateRef,
    Reason::RefNotPermitted,
    Reason::InvalidKind,
    Reason::UnsupportedProtocol,
    Reason::Conflicted,
    Reason::LastGoodServed,
];

#[test]
fn every_reason_that_tells_of_trouble_has_a_page() {
    let mut wrong = Vec::new();
    for reason in REASONS.into_iter().filter(|reason| is_trouble(*reason)) {
        let page = format!("docs/reasons/{reason}.md");
        let text = fs::read_to_string(root().join(&page)).unwrap_or_default();
        if !text.starts_with(&format!("# {reason}\n")) {
            wrong.push(format!("{page} is missing or has another title"));
        }
        wrong.extend(
            ["## Meaning", "## In kubectl", "## Mend"]
                .iter()
                .filter(|part| !text.contains(**part))
                .map(|part| format!("{page} has no part `{part}`")),
        );
    }
    none(&wrong);
}

#[test]
fn every_reason_of_the_access_log_has_a_section() {
    let source = fs::read_to_string(root().join("src/proxy/error.rs")).unwrap();
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let words: Vec<&str> = source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(words.len() > 10, "the reason words have moved");
    let missing = words.iter().filter(|word| !page.contains(&format!("\n### {word}\n")));
    none(&missing.map(|word| format!("docs/errors.md has no section ### {word}")).collect::<Vec<_>>());
}

/// The pages of the project: what stands in docs/, and the ones at the top.
fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)).to_vec();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder must be readable") {
            let path = entry.expect("the folder must be readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}
