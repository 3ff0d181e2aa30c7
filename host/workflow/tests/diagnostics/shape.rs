//! Findings about the shape of a document: which key takes what.

use crate::fixtures;

fixtures! {
    the_smallest_workflow_is_one "{}\n"
    an_empty_file_is_no_workflow r#"
#< wrong-type: the file is empty
"#
    a_workflow_is_a_mapping r#"
hello
#< wrong-type: must be a mapping, this is a text
"#
    only_version_1_is_known r#"
apiVersion: v2
#           ^^ unsupported-value: can't be `v2`
kind: Step
#     ^^^^ unsupported-value: can't be `Step`
"#
    texts_of_the_head r#"
name: ''
#     ^^ empty-text: `name` is empty
summary: 5
#        ^ wrong-type: `summary` must be a text, this is an integer
description: [a]
#            ^ wrong-type: `description` must be a text, this is a list
tags: x
#     ^ wrong-type: `tags` must be a list
locals: 5
#       ^ wrong-type: `locals` must be a mapping
"#
    homepage_and_source_are_uris r#"
homepage: not a uri
#         ^^^^^^^^^ not-a-uri
source: https://example.com/x.git
"#
    unknown_keys_are_told_and_accepted r#"
version: '1.0'
#< unknown-key: `version` has no effect
parameters:
  p: {default: 1, descripton: x}
#                 ^^^^^^^^^^ unknown-key: `descripton`
steps:
- name: a
  image: anything
  dependson: b
# ^^^^^^^^^ unknown-key: `dependson`
  spec: {x: !Parameter p}
"#
    parameters_are_mappings r#"
parameters:
  a: 5
#    ^ wrong-type: `a` must be a mapping, this is an integer
  b:
# ^ unused-parameter
#  ^ wrong-type: `b` must be a mapping, this is empty
  c: {type: 5}
#           ^ wrong-type
steps: [{name: s, image: anything, spec: {x: !Parameter a, y: !Parameter c}}]
"#
    a_step_has_a_name_and_an_image r#"
steps:
- image: anything
# ^^^^^ missing-key: `name` is missing
- name: b
#       ^ missing-key: `image` is missing
- name: c
  type: approval
- name: ''
#       ^^ empty-text
  image: ''
#        ^^ empty-text
- 5
# ^ wrong-type: an item of `steps` must be a mapping
"#
    a_name_is_a_text r#"
steps:
- name: 5
#       ^ wrong-type: `name` must be a text, this is an integer
  image: anything
- name: 2020-01-01
  image: anything
"#
    steps_are_a_list r#"
steps: lalalala
#      ^^^^^^^^ wrong-type: `steps` must be a list, this is a text
"#
    the_type_of_a_step_is_one_of_two r#"
steps:
- name: a
  type: aproval
#       ^^^^^^^ unsupported-value: `type` can't be `aproval`
"#
    depends_on_takes_one_or_many r#"
steps:
- {name: a, image: anything}
- {name: b, image: anything, dependsOn: a}
- {name: c, image: anything, dependsOn: [a, b]}
- {name: d, image: anything, dependsOn: []}
- {name: e, image: anything, dependsOn: 5}
#                                       ^ wrong-type: `dependsOn` must be a text
- {name: f, image: anything, dependsOn: ['']}
#                                        ^^ empty-text: an item of `dependsOn`
- {name: g, image: anything, dependsOn: {a: b}}
#                                       ^ wrong-type
"#
    spec_and_env_are_mappings r#"
steps:
- name: a
  image: anything
  spec: [1]
#       ^^^ wrong-type: `spec` must be a mapping
  env: x
#      ^ wrong-type: `env` must be a mapping
- name: b
  image: anything
  spec:
"#
    scripts_are_lists_of_texts r#"
steps:
- name: a
  image: anything
  input: x
# ^ script
#        ^ wrong-type: `input` must be a list
  args: [1]
# ^ script
#        ^ wrong-type: an item of `args` must be a text
  command: [x]
#          ^ wrong-type: `command` must be a text
"#
    tags_outside_of_expressions_are_dropped r#"
parameters:
  p: {default: !Secret x}
#              ^^^^^^^ dropped-tag: `!Secret` has no effect here
steps:
- name: a
  image: !Parameter anything
#        ^^^^^^^^^^ dropped-tag: `!Parameter`
  spec: !Fn.merge {x: !Parameter p}
#       ^^^^^^^^^ dropped-tag: `!Fn.merge`
"#
    a_trigger_has_a_name_and_a_source r#"
triggers:
- source: {type: push}
# ^^^^^^ missing-key: `name` is missing
- name: a
#       ^ missing-key: `source` is missing
- name: b
  source: {type: mail}
#                ^^^^ unsupported-value: can't be `mail`
- name: c
  source: {schedule: '@daily'}
#         ^^^^^^^^^^^^^^^^^^^^ missing-key: `type` is missing
- name: d
  source: {type: schedule}
#                ^^^^^^^^ missing-key: `schedule` is missing
- name: e
  source: {type: webhook}
#                ^^^^^^^ missing-key: `image` is missing
- name: f
  source: {type: push}
  binding: [a]
#          ^^^ wrong-type: `binding` must be a mapping
- name: g
  source: {type: push, schema: {a: {type: string}}, shema: 1}
#                                                   ^^^^^ unknown-key
  binding: {parameters: {}, key: !Data id, keys: 1}
#                                          ^^^^ unknown-key
"#
}
