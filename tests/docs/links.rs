//! Links between the pages of the repository.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

struct Link {
    line: usize,
    target: String,
}

/// The links that lead nowhere, each with its place.
pub(crate) fn broken(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in super::super::pages(root) {
        for link in links(&page) {
            if let Some(why) = problem(&page, &link.target) {
                let name = page.strip_prefix(root).unwrap_or(&page).display();
                wrong.push(format!("{name}:{}: {}: {why}", link.line, link.target));
            }
        }
    }
    wrong
}

/// The pages in docs/ that no other page links to.
pub(crate) fn orphans(root: &Path) -> Vec<String> {
    let pages = super::super::pages(root);
    let targets: Vec<PathBuf> = pages
        .iter()
        .flat_map(|page| {
            links(page).into_iter().map(move |link| resolve(page, &link.target).0).filter(move |to| to != page)
        })
        .collect();
    let lost = pages.iter().filter(|page| page.starts_with(root.join("docs")) && !targets.contains(page));
    lost.map(|page| format!("{}: no page links to it", page.strip_prefix(root).unwrap_or(page).display())).collect()
}

/// The relative links of a page, code left out.
fn links(page: &Path) -> Vec<Link> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let mut in_code = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        let line = without_code(line);
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let ours = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
        found.extend(ours.map(|target| Link { line: index + 1, target: target.to_owned() }));
    }
    found
}

/// A line without what stands in backquotes.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

fn resolve(page: &Path, target: &str) -> (PathBuf, Option<String>) {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let base = if file.is_empty() { page.to_owned() } else { page.with_file_name(file) };
    let mut path = PathBuf::new();
    for component in base.components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    (path, anchor.map(str::to_owned))
}

fn problem(page: &Path, target: &str) -> Option<String> {
    let (path, anchor) = resolve(page, target);
    if !path.exists() {
        return Some("there is no such file".to_owned());
    }
    let anchor = anchor.filter(|_| path.extension().is_some_and(|extension| extension == "md"))?;
    let text = fs::read_to_string(&path).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(slug);
    (!headings.into_iter().any(|slug| slug == anchor)).then(|| "there is no such heading".to_owned())
}

/// The anchor of a heading: lower case, blanks to dashes, punctuation gone.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
