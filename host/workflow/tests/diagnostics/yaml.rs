//! Findings about the YAML itself.

use crate::{finds, fixtures};
use std::fmt::Write as _;

fixtures! {
    a_quote_that_is_not_closed_is_found r#"
steps:
- name: 'a
#       ^ yaml-syntax: unclosed quote
"#
    a_text_with_a_colon_needs_quotes r#"
description: a: b
#             ^ yaml-syntax: mapping values are not allowed
"#
    tabs_do_not_indent r#"
steps:
	- name: a
#^ yaml-syntax: tabs
"#
    a_key_stands_in_a_mapping_once r#"
steps:
- name: a
  image: anything
  spec:
    x: 1
    y: 2
    x: 3
#   ^ yaml-duplicate-key: `x` stands here for the second time
"#
    keys_of_different_mappings_may_be_the_same r#"
steps:
- name: a
  image: anything
  spec: {x: {x: 1}}
"#
    keys_are_texts r#"
steps:
- name: a
  image: anything
  spec:
    5: x
#   ^ yaml-key: an integer
    true: x
#   ^^^^ yaml-key: a boolean
    ? [a]
#     ^^^ yaml-key: a list
    : x
    '6': x
"#
    an_alias_needs_an_anchor r#"
steps:
- name: a
  image: anything
  spec: {x: *missing}
#           ^^^^^^^^ yaml-alias: no anchor is called `missing`
"#
    an_alias_can_t_contain_itself r#"
locals:
  a: &a {b: *a}
#           ^^ yaml-alias: contains the alias itself
"#
    a_merge_key_takes_mappings r#"
locals: {a: &a {x: 1}, b: &b [1]}
steps:
- name: a
  image: anything
  spec:
    <<: *b
#       ^^ yaml-merge: takes a mapping
- name: b
  image: anything
  spec:
    <<: [*a, {y: 1}]
"#
    a_value_fits_its_yaml_tag r#"
steps:
- name: a
  image: anything
  spec: {a: !!int x, b: !!int '5', c: !!float 5, d: !!str 5, e: !!bool yes}
#                 ^ yaml-value: `x` is a text
#                                                                      ^^^ yaml-value: `yes` is a text
"#
    a_value_that_stands_deeper_than_sixty_levels_is_refused r#"
locals: {a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}
#                                                                     ^ yaml-limit: more than 60 levels deep
"#
    infinity_is_no_value r#"
steps:
- name: a
  image: anything
  spec: {a: .inf, b: -.inf, c: .nan, d: '.inf'}
#           ^^^^ not-finite
#                    ^^^^^ not-finite
#                              ^^^^ not-finite
"#
    only_the_first_document_is_read r#"
steps: []
---
#< yaml-documents: only the first
steps: 5
"#
    what_follows_the_first_document_may_be_anything r#"
steps: []
---
#< yaml-documents: only the first
'
"#
    a_place_is_right_behind_letters_of_many_bytes r#"
steps:
- name: größe
  image: anything
  dependsOn: a
#            ^ unknown-step: no step is called `a`
- name: b
  image: anything
  dependsOn: ß
#            ^ unknown-step: no step is called `ß`
"#
}

#[test]
fn a_value_that_stands_too_deep_is_refused() {
    let text = format!("locals: {{a: {}}}\n", "[".repeat(100_000));
    let source = workflow::SourceFile::new("deep.yaml", text);
    let checked =
        workflow::check(&source, &crate::signatures(), &workflow::CheckOptions::default());
    let codes: Vec<&str> = checked.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["yaml-limit"]);
}

#[test]
fn block_mappings_that_stand_too_deep_are_refused() {
    let mut text = String::from("locals:\n");
    for depth in 1..3000 {
        writeln!(text, "{}a:", " ".repeat(depth)).expect("write to a text");
    }
    let source = workflow::SourceFile::new("deep.yaml", text);
    let checked =
        workflow::check(&source, &crate::signatures(), &workflow::CheckOptions::default());
    let codes: Vec<&str> = checked.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["yaml-limit"]);
}

#[test]
fn values_of_ordinary_depth_are_fine() {
    finds(&format!(
        "steps: [{{name: a, image: anything, spec: {{a: {}{}}}}}]\n",
        "[".repeat(40),
        "]".repeat(40)
    ));
}

#[test]
fn aliases_that_multiply_are_refused_in_no_time() {
    let mut text = "steps:\n- name: a\n  image: x\n  spec:\n    a0: &a0 [x]\n".to_owned();
    for n in 1..12 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        writeln!(text, "    a{n}: &a{n} [{items}]").expect("write to a text");
    }
    let source = workflow::SourceFile::new("laughs.yaml", text);
    let checked =
        workflow::check(&source, &crate::signatures(), &workflow::CheckOptions::default());
    let codes: Vec<&str> = checked.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["yaml-limit"]);
}
