//! Findings about what plugins are given and what they give.

use crate::{finds_with, fixtures};
use workflow::CheckOptions;

fixtures! {
    plugins_exist r#"
steps:
- {name: a, image: rollbakc}
#                  ^^^^^^^^ missing-plugin: no plugin answers to `rollbakc`
- {name: b, image: never-resolved}
#                  ^^^^^^^^^^^^^^ missing-plugin
- {name: c, image: refused}
#                  ^^^^^^^ refused-plugin: `refused` may not be used
- {name: d, type: approval, image: nowhere}
"#
    a_plugin_gets_what_it_needs r#"
steps:
- name: a
#       ^ missing-input: `rollback` needs the input `deployment`
#       ^ missing-connection: needs a connection of type `kubernetes`
  image: rollback
- name: b
  image: rollback
  spec:
    deployment: web
    connection: !Connection {type: kubernetes, name: prod}
- name: c
  image: rollback
  spec:
    deployment: web
    cluster: {connection: !Connection {type: kubernetes, name: prod}}
"#
    a_plugin_gets_the_connection_that_it_needs r#"
steps:
- name: a
  image: rollback
  spec:
    deployment: web
    connection: !Connection {type: datadog, name: keys}
#               ^ wrong-connection-type: `kubernetes`, this is one of type `datadog`
- name: b
  image: rollback
  spec:
    deployment: web
    connection: prod
#               ^^^^ missing-connection
- name: c
  image: rollback
  spec:
    deployment: web
    cluster: {connection: "${connections.datadog.keys}"}
#                         ^ wrong-connection-type
"#
    a_step_grants_only_what_its_plugin_asks_for r#"
steps:
- name: a
#       ^ unknown-grant: `rollback` asks for no connection that it calls `clutser`
  image: rollback
  spec:
    deployment: web
    connection: !Connection {type: kubernetes, name: prod}
  x-bowline:
    grants:
      clutser: [{verbs: [get], resource: pods}]
- name: b
  image: rollback
  spec:
    deployment: web
    connection: !Connection {type: kubernetes, name: prod}
  x-bowline:
    limit: {calls: 3}
#   ^^^^^ malformed-extras: `x-bowline` can't be understood: unknown field `limit`
"#
    how_often_and_for_how_long_is_said_in_bounds r#"
x-bowline: {retry: {attempts: 20, delaySeconds: 3600, maxDelaySeconds: 86400}, timeoutSeconds: 604800}
steps:
- name: a
  image: anything
  x-bowline:
    retry: {attempts: 0}
#   ^^^^^ malformed-extras: `retry.attempts` must be 1 to 20
- name: b
  image: anything
  x-bowline:
    retry: {attempts: 3, delay: 5}
#   ^^^^^ malformed-extras: unknown field `delay`
- name: c
  image: anything
  x-bowline:
    retry: {delaySeconds: "5"}
#   ^^^^^ malformed-extras: invalid type: string "5", expected u64
- name: d
  image: anything
  x-bowline:
    retry: 3
#   ^^^^^ malformed-extras: invalid type: integer `3`, expected struct Retry
- name: e
  image: anything
  x-bowline:
    timeoutSeconds: 604801
#   ^^^^^^^^^^^^^^ malformed-extras: `timeoutSeconds` must be 1 to 604800
- name: f
  image: anything
  x-bowline:
    retry: {maxDelaySeconds: 1.5}
#   ^^^^^ malformed-extras: invalid type: floating point `1.5`, expected u64
- name: g
  type: approval
  x-bowline:
    timeoutSeconds: 0
#   ^^^^^^^^^^^^^^ malformed-extras: `timeoutSeconds` must be 1 to 604800
- name: h
  type: approval
  x-bowline: {timeoutSeconds: 900}
- name: i
  image: anything
  x-bowline: {retry: {attempts: 1}, timeoutSeconds: 1}
"#
    a_workflow_says_it_for_all_its_steps r#"
x-bowline:
  retry: {attempts: 21}
# ^^^^^ malformed-extras: `x-bowline` can't be understood: `retry.attempts` must be 1 to 20
"#
    a_workflow_grants_nothing r#"
x-bowline:
  limits: {calls: 3}
# ^^^^^^ malformed-extras: unknown field `limits`, expected `retry` or `timeoutSeconds`
"#
    a_workflow_s_extras_are_a_mapping r#"
x-bowline: 5
#          ^ wrong-type: `x-bowline` must be a mapping
"#
    a_computed_connection_is_not_judged r#"
parameters: {cluster: {}}
steps:
- name: a
  image: rollback
  spec:
    deployment: web
    connection: ${connections.kubernetes[parameters.cluster]}
- name: b
  image: rollback
  spec:
    deployment: web
    cluster: !Fn.merge [{name: x}, {connection: !Connection {type: kubernetes, name: prod}}]
"#
    an_optional_connection_may_be_left_out r#"
steps:
- name: a
#       ^ missing-input: `timeline` needs the input `connection`
  image: timeline
  spec: {incident: x}
"#
    inputs_are_known_to_the_plugin r#"
steps:
- name: a
  image: rollback
  spec:
    deployment: web
    namespce: shop
#   ^^^^^^^^ unknown-input: `rollback` knows no input `namespce`
    cluster:
      nmae: x
#     ^^^^ unknown-input: `nmae`
      connection: !Connection {type: kubernetes, name: prod}
- name: b
  image: timeline
  spec:
    incident: x
    incidnet: y
#   ^^^^^^^^ unknown-input: `timeline` knows no input `incidnet`
    connection: !Connection {type: datadog, name: keys}
"#
    inputs_are_what_the_plugin_takes r#"
parameters: {p: {}}
steps:
- name: a
  image: rollback
  spec:
    connection: !Connection {type: kubernetes, name: prod}
    deployment: ''
#               ^^ plugin-input: `deployment` must not be empty
    namespace: 5
#              ^ plugin-input: `namespace` must be a text, this is a number
    timeoutSeconds: 0
#                   ^ plugin-input: `timeoutSeconds` must be 1 or more
    mode: und
#         ^^^ plugin-input: `mode` can be `undo` or `pause`, not `und`
    labels: [a, b, !Parameter p]
#           ^ plugin-input: at most 2 items
"#
    what_a_constant_expression_comes_to_is_looked_at r#"
steps:
- name: a
  image: rollback
  spec:
    connection: !Connection {type: kubernetes, name: prod}
    deployment: !Fn.concat [we, b]
    mode: !Fn.concat [un, dooo]
#         ^^^^^^^^^^^^^^^^^^^^^ plugin-input: not `undooo`
"#
    what_is_not_known_yet_is_not_judged r#"
parameters: {p: {default: 5}}
steps:
- name: a
  image: rollback
  spec:
    connection: !Connection {type: kubernetes, name: prod}
    deployment: !Parameter p
    mode: ${parameters.p}
    labels: [!Parameter p, x]
    timeoutSeconds: !Output [b, revision]
- name: b
  image: anything
"#
    outputs_are_those_that_the_plugin_gives r#"
steps:
- name: a
  image: rollback
  spec: {deployment: x, connection: !Connection [kubernetes, prod]}
- {name: b, image: anything}
- {name: gate, type: approval}
- name: c
  image: anything
  spec:
    a: !Output {from: a, name: revison}
#                              ^^^^^^^ unknown-output: `rollback` gives no output `revison`
    b: ${outputs.a.revision} ${outputs.a.revisions}
#                                        ^^^^^^^^^ unknown-output
    c: !Output [b, whatever]
    d: !Output [gate, approval]
#                     ^^^^^^^^ unknown-output: an approval step
"#
    a_plugin_whose_schema_is_wrong_is_not_the_author_s_fault r#"
steps:
- {name: a, image: broken-schema, spec: {x: 1}}
#                  ^^^^^^^^^^^^^ plugin-schema
- {name: b, image: broken-schema}
"#
    scripts_are_not_run r#"
steps:
- name: a
  image: anything
  input: [echo hello]
# ^^^^^ script: `input` would not be run
  inputFile: https://example.com/x.sh
# ^^^^^^^^^ script
  command: sh
# ^^^^^^^ script
  args: [-c]
# ^^^^ script
  env: {A: b}
#      ^ ignored-key: `env` has no effect
"#
}

#[test]
fn a_workflow_can_be_looked_at_without_its_plugins() {
    finds_with(
        r#"
steps:
- name: a
  image: nowhere
#        ^^^^^^^ missing-plugin
  input: [echo hello]
# ^^^^^ script
- name: b
  image: refused
#        ^^^^^^^ refused-plugin
  spec: {x: !Connection {type: any, name: other}}
"#,
        &CheckOptions { allow_missing_plugins: true, known_connections: None },
    );
}
