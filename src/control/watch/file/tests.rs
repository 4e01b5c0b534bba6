use super::*;
use crate::control::change::Object;
use std::{fs, time::Duration};
use tempfile::TempDir;

const ROUTE: &str = "apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata:
  name: web
spec:
  rules:
  - backends:
    - service: web
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn problems(text: &str) -> Vec<String> {
    let folder = folder(&[("a.yaml", text)]);
    let loaded = load(&folder.path().join("a.yaml")).unwrap();
    let strip = |problem: &Problem| problem.to_string().replace(&format!("{}/", folder.path().display()), "");
    loaded.problems.iter().map(strip).collect()
}

async fn next(source: &mut FolderSource) -> Vec<Change> {
    tokio::time::timeout(Duration::from_secs(10), source.next()).await.expect("a change must be noticed")
}

fn described(changes: &[Change]) -> Vec<String> {
    let describe = |change: &Change| match change {
        Change::Upsert(object) => format!("upsert {}", object.reference()),
        Change::Delete(object) => format!("delete {object}"),
        other => format!("{other:?}"),
    };
    changes.iter().map(describe).collect()
}

fn routes(changes: &[Change]) -> Vec<(String, i64)> {
    let mut routes = Vec::new();
    for change in changes {
        let objects = match change {
            Change::Upsert(object) => vec![object.clone()],
            Change::Replace { objects, .. } => objects.clone(),
            _ => Vec::new(),
        };
        for object in objects {
            if let Object::GatewayRoute(route) = object {
                routes.push((route.metadata.name.clone().unwrap(), route.metadata.generation.unwrap()));
            }
        }
    }
    routes
}

#[test]
fn the_first_load_is_complete_for_every_kind() {
    let folder = folder(&[("a.yaml", ROUTE), ("readme.txt", "no"), (".hidden.yaml", "{")]);
    let (_, changes) = tokio_test(async { FolderSource::open(folder.path()).unwrap() });
    assert_eq!(changes.len(), Kind::ALL.len());
    assert_eq!(routes(&changes), [("web".to_owned(), 1)]);
}

fn tokio_test<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn problems_name_the_line_the_object_and_the_field() {
    assert_eq!(problems(ROUTE), Vec::<String>::new());
    assert_eq!(
        problems(&format!("# first\n---\n{ROUTE}---\n{}", ROUTE.replace("service: web", "service: Web"))),
        [
            "a.yaml:19: GatewayRoute default/web: spec.rules[0].backends[0].service: `Web` must match ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
        ]
    );
    assert_eq!(
        problems(&ROUTE.replace("- backends:", "- backend:")),
        [
            "a.yaml:7: GatewayRoute default/web: spec.rules[0].backend: is no field: the fields here are backends, handler, matches, mirror, name, pathSafety, resolver"
        ]
    );
    let service = "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n  ports:\n  - port: http\n";
    assert_eq!(
        problems(service),
        ["a.yaml:6: Service default/a: spec.ports[0].port: invalid type: string \"http\", expected i32"]
    );
    assert_eq!(
        problems("kind: Service\napiVersion: v1\nmetadata: {name: A_b}\n")[0].split(": ").nth(2),
        Some("metadata.name")
    );
}

#[test]
fn kinds_that_mean_nothing_are_warned_of_and_wrong_versions_refused() {
    let deployment = problems("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
    assert_eq!(
        deployment,
        ["a.yaml:1: Deployment a: apiVersion `apps/v1` with this kind means nothing to the gateway: ignored"]
    );
    let old = problems("apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: a}\n");
    assert_eq!(
        old,
        ["a.yaml:1: Ingress a: apiVersion: `networking.k8s.io/v1beta1` is not read: write networking.k8s.io/v1"]
    );
    assert!(problems("a: [")[0].starts_with("a.yaml:1: is no YAML: "), "{:?}", problems("a: ["));
    let twice = "kind: Service\nmetadata: {name: a}\n---\na:\n  b: 1\n  c: 1\n  b: 2\n";
    assert_eq!(
        problems(twice).last().unwrap(),
        "a.yaml:7: is no YAML: the key `b` is there twice in the same place: remove one"
    );
    assert!(problems("hello")[0].contains("is no Kubernetes object"));
}

#[test]
fn lists_and_string_data_mean_what_they_mean_to_kubectl() {
    let folder = folder(&[(
        "a.json",
        r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "stringData": {"x": "y"}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"}, "spec": {"ports": [{"port": 1}]}}
        ]}"#,
    )]);
    let loaded = load(&folder.path().join("a.json")).unwrap();
    assert_eq!(loaded.problems, []);
    let names: Vec<_> = loaded.items.iter().map(|item| (item.object.reference().to_string(), item.line(""))).collect();
    assert_eq!(names, [("Secret b/a".to_owned(), 2), ("Service default/c".to_owned(), 3)]);
    let Object::Secret(secret) = &loaded.items[0].object else { panic!() };
    assert_eq!(secret.data.as_ref().unwrap()["x"].0, b"y");
}

#[test]
fn a_broken_start_lists_every_problem() {
    let wrong = ROUTE.replace("service: web", "service: Web");
    let folder = folder(&[("a.yaml", "{"), ("b.yaml", &wrong), ("c.yaml", ROUTE)]);
    let error = tokio_test(async { FolderSource::open(folder.path()).unwrap_err() }).to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.contains("a.yaml:1: is no YAML") && error.contains("b.yaml:8: GatewayRoute default/web"), "{error}");
    let missing = tokio_test(async { FolderSource::open(&folder.path().join("no")).unwrap_err() }).to_string();
    assert!(missing.contains("name a folder with *.yaml"), "{missing}");
}

#[test]
fn the_same_object_in_two_files_is_a_problem() {
    let folder = folder(&[("a.yaml", ROUTE), ("b.yaml", ROUTE)]);
    let error = tokio_test(async { FolderSource::open(folder.path()).unwrap_err() }).to_string();
    assert!(error.contains("b.yaml:4: GatewayRoute default/web: metadata.name: an earlier file"), "{error}");
}

#[tokio::test]
async fn edits_renames_and_deletions_are_noticed() {
    let folder = folder(&[("a.yaml", ROUTE)]);
    let (mut source, _) = FolderSource::open(folder.path()).unwrap();
    fs::write(folder.path().join("b.yaml"), ROUTE.replace("name: web", "name: other")).unwrap();
    assert_eq!(routes(&next(&mut source).await), [("other".to_owned(), 1)]);
    fs::write(folder.path().join(".swap"), ROUTE.replace("service: web", "service: new")).unwrap();
    fs::rename(folder.path().join(".swap"), folder.path().join("a.yaml")).unwrap();
    assert_eq!(routes(&next(&mut source).await), [("web".to_owned(), 2)]);
    fs::remove_file(folder.path().join("b.yaml")).unwrap();
    assert_eq!(described(&next(&mut source).await), ["delete GatewayRoute default/other"]);
}

#[tokio::test]
async fn a_broken_file_keeps_its_last_good_objects() {
    let folder = folder(&[("a.yaml", ROUTE)]);
    let (mut source, _) = FolderSource::open(folder.path()).unwrap();
    fs::write(folder.path().join("a.yaml"), "{").unwrap();
    fs::write(folder.path().join("b.yaml"), ROUTE.replace("name: web", "name: other")).unwrap();
    assert_eq!(described(&next(&mut source).await), ["upsert GatewayRoute default/other"]);
    fs::write(folder.path().join("a.yaml"), ROUTE.replace("service: web", "service: new")).unwrap();
    assert_eq!(routes(&next(&mut source).await), [("web".to_owned(), 2)]);
}

#[tokio::test]
async fn a_folder_put_in_place_of_the_old_one_is_read() {
    let parent = tempfile::tempdir().unwrap();
    let (old, new) = (parent.path().join("config"), parent.path().join("next"));
    fs::create_dir(&old).unwrap();
    fs::create_dir(&new).unwrap();
    fs::write(old.join("a.yaml"), ROUTE).unwrap();
    fs::write(new.join("a.yaml"), ROUTE.replace("service: web", "service: new")).unwrap();
    let (mut source, _) = FolderSource::open(&old).unwrap();
    fs::rename(&old, parent.path().join("before")).unwrap();
    fs::rename(&new, &old).unwrap();
    assert_eq!(routes(&next(&mut source).await), [("web".to_owned(), 2)]);
    fs::write(old.join("a.yaml"), ROUTE).unwrap();
    assert_eq!(routes(&next(&mut source).await), [("web".to_owned(), 3)]);
}

/// A folder of which everything is known, and a clock that stands where it is put.
fn known(files: &[(&str, &str)]) -> (TempDir, Folder, impl Fn(u64) -> Instant + use<>) {
    let written = folder(files);
    let (mut known, start) = (Folder::new(written.path().to_owned()), Instant::now());
    known.scan(start).unwrap();
    (written, known, move |milliseconds| start + Duration::from_millis(milliseconds))
}

fn changes(folder: &mut Folder, now: Instant) -> Vec<String> {
    let (changes, problems) = folder.scan(now).unwrap();
    assert_eq!(problems, []);
    described(&changes)
}

#[test]
fn a_file_that_is_written_in_place_loses_nothing_on_the_way() {
    let both = format!("{ROUTE}---\n{}", ROUTE.replace("name: web", "name: other"));
    let (written, mut folder, at) = known(&[("a.yaml", &both)]);
    let path = written.path().join("a.yaml");
    let new = both.replace("service: web", "service: new");
    for (milliseconds, part) in [(20, ""), (170, "apiVersion: paifang.dev/v1alpha1\nkind: Gat"), (320, ROUTE)] {
        fs::write(&path, part).unwrap();
        assert_eq!(changes(&mut folder, at(milliseconds)), Vec::<String>::new(), "after {milliseconds} ms");
    }
    fs::write(&path, new).unwrap();
    let told = ["upsert GatewayRoute default/web", "upsert GatewayRoute default/other"];
    assert_eq!(changes(&mut folder, at(470)), told);
    assert_eq!(folder.doubtful_until(), None);
}

#[test]
fn a_file_that_stays_empty_is_believed() {
    let (written, mut folder, at) = known(&[("a.yaml", ROUTE), ("b.yaml", "# nothing\n")]);
    fs::write(written.path().join("a.yaml"), "").unwrap();
    assert_eq!(changes(&mut folder, at(20)), Vec::<String>::new());
    fs::write(written.path().join("b.yaml"), ROUTE.replace("name: web", "name: other")).unwrap();
    assert_eq!(changes(&mut folder, at(40)), ["upsert GatewayRoute default/other"], "others do not wait");
    assert_eq!(folder.doubtful_until(), Some(at(320)));
    assert_eq!(changes(&mut folder, at(319)), Vec::<String>::new());
    assert_eq!(changes(&mut folder, at(320)).last().unwrap(), "delete GatewayRoute default/web");
    assert_eq!(folder.doubtful_until(), None);
}

#[test]
fn a_file_that_stays_broken_is_told_of_once() {
    let (written, mut folder, at) = known(&[("a.yaml", ROUTE)]);
    fs::write(written.path().join("a.yaml"), "{").unwrap();
    assert_eq!(folder.scan(at(0)).unwrap().1, []);
    let (changes, problems) = folder.scan(at(300)).unwrap();
    assert_eq!((changes.len(), problems.len()), (0, 1));
    assert_eq!(folder.scan(at(900)).unwrap().1, []);
}

#[tokio::test]
async fn an_emptied_file_is_looked_at_again_without_a_notice() {
    let folder = folder(&[("a.yaml", ROUTE)]);
    let (mut source, _) = FolderSource::open(folder.path()).unwrap();
    fs::write(folder.path().join("a.yaml"), "").unwrap();
    assert_eq!(described(&next(&mut source).await), ["delete GatewayRoute default/web"]);
}

#[test]
fn what_is_no_file_is_warned_of_once() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let written = folder(&[("a.yaml", ROUTE)]);
    let path = |name: &str| written.path().join(name);
    symlink(path("nowhere"), path("b.yaml")).unwrap();
    symlink(path("c.yaml"), path("c.yaml")).unwrap();
    symlink("/dev/zero", path("d.json")).unwrap();
    let _socket = UnixListener::bind(path("e.yml")).unwrap();
    symlink(path("a.yaml"), path("f.txt")).unwrap();
    fs::create_dir(path("g.yaml")).unwrap();
    let mut folder = Folder::new(written.path().to_owned());
    let (_, problems) = folder.scan(Instant::now()).unwrap();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| problem.to_string().replace(&format!("{}/", written.path().display()), ""))
        .collect();
    assert_eq!(
        told,
        [
            "b.yaml: is ignored: it is a link that leads nowhere",
            "c.yaml: is ignored: it cannot be followed: Too many levels of symbolic links (os error 40)",
            "d.json: is ignored: it is a pipe, a device or a socket",
            "e.yml: is ignored: it is a pipe, a device or a socket",
        ]
    );
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning));
    assert_eq!(folder.scan(Instant::now()).unwrap().1, []);
}

#[test]
fn a_folder_without_files_is_warned_of_each_time_it_becomes_one() {
    let written = folder(&[]);
    let mut folder = Folder::new(written.path().to_owned());
    let warnings = |folder: &mut Folder| folder.scan(Instant::now()).unwrap().1;
    let first = warnings(&mut folder);
    assert!(first[0].to_string().ends_with("every request is answered by 404"), "{first:?}");
    assert_eq!(warnings(&mut folder), []);
    fs::write(written.path().join("a.yaml"), ROUTE).unwrap();
    assert_eq!(warnings(&mut folder), []);
    fs::remove_file(written.path().join("a.yaml")).unwrap();
    assert_eq!(warnings(&mut folder), first);
}
