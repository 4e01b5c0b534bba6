use super::*;
use crate::cli::{Cli, Command};
use clap::Parser as _;
use std::fs;

const ROUTE: &str = "apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata:
  name: web
spec:
  rules:
  - matches:
    - path: {type: RegularExpression, value: '('}
    backends:
    - service: web
";
const SERVICE: &str = "---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
";

fn check_text(text: &str, output: OutputForm) -> (u8, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    fs::write(&path, text).unwrap();
    let output = format!("{output:?}").to_lowercase();
    let command = ["paifang", "check", "--output", &output, path.to_str().unwrap()];
    let Command::Check(args) = Cli::parse_from(command).command else { panic!("not a check") };
    let mut out = Vec::new();
    let code = run(&args, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn an_error_of_translation_has_its_file_and_line() {
    let (code, text) = check_text(&format!("{ROUTE}{SERVICE}"), OutputForm::Text);
    assert_eq!(code, 1);
    assert_eq!(
        text,
        "a.yaml:8: error: GatewayRoute default/web: spec.rules[0].matches[0].path.value: `(` cannot be used as a regular expression: unclosed group (UnsupportedValue)
1 error, 0 warnings in 2 objects of 1 file
"
    );
}

#[test]
fn a_route_of_another_class_is_skipped_and_named() {
    let other = ROUTE.replace("spec:", "spec:\n  className: blue");
    let (code, text) = check_text(&format!("{other}{SERVICE}"), OutputForm::Text);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        text,
        "a.yaml:6: skipped: GatewayRoute default/web: spec.className: `blue` is another class than `paifang`; check it with --class-name blue
0 errors, 0 warnings in 2 objects of 1 file
"
    );
    assert_eq!(check_text(&format!("{other}{SERVICE}"), OutputForm::Json), (0, "[]\n".to_owned()));
}

#[test]
fn a_service_that_may_be_elsewhere_is_only_warned_of() {
    let (code, text) = check_text(&ROUTE.replace("'('", "/a"), OutputForm::Text);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("a.yaml:10: warning: GatewayRoute default/web: spec.rules[0].backends[0].service"),
        "{text}"
    );
    let (code, text) =
        check_text(&format!("{}{}", ROUTE.replace("'('", "/a"), SERVICE.replace("web", "other")), OutputForm::Text);
    assert_eq!(code, 1, "{text}");
}

#[test]
fn the_json_is_an_array_of_findings() {
    let (code, text) = check_text(&ROUTE.replace("rules", "rule"), OutputForm::Json);
    assert_eq!(code, 1);
    let findings: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(findings[0]["line"], 6);
    assert_eq!(findings[0]["field"], "spec.rule");
    assert_eq!(findings[0]["severity"], "error");
    assert_eq!(findings[0]["reason"], "Invalid");
    let (code, text) = check_text(&format!("{}{SERVICE}", ROUTE.replace("'('", "/a")), OutputForm::Json);
    assert_eq!((code, text.as_str()), (0, "[]\n"));
}

#[test]
fn an_ingress_is_checked_though_its_class_is_in_the_cluster() {
    let ingress = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  ingressClassName: paifang
  defaultBackend: {service: {name: none, port: {number: 80}}}
";
    let (code, text) = check_text(&format!("{ingress}{SERVICE}"), OutputForm::Text);
    assert_eq!(code, 1);
    assert!(text.contains("a.yaml:6: error: Ingress default/a: spec.defaultBackend.service.name"), "{text}");
}

#[test]
fn files_that_cannot_be_read_are_no_findings() {
    let folder = tempfile::tempdir().unwrap();
    let (none, binary) = (folder.path().join("none.yaml"), folder.path().join("b.yaml"));
    fs::write(&binary, b"\xff").unwrap();
    let refused = check(&[none, binary, "/dev/zero".into()], &Context::default()).unwrap_err();
    let lines: Vec<_> =
        refused.lines().map(|line| line.replace(&format!("{}/", folder.path().display()), "")).collect();
    assert_eq!(
        lines,
        [
            "none.yaml: cannot be read: No such file or directory (os error 2)",
            "b.yaml: cannot be read: it is not UTF-8",
            "/dev/zero: cannot be read: it has more than 16 MiB",
        ]
    );
}
