//! Findings about tags, templates and functions.

use crate::fixtures;

fixtures! {
    tags_have_their_forms r#"
steps:
- name: a
  image: anything
  spec:
    a: !Output x
#      ^^^^^^^^^ tag-form: `!Output` takes `from` and `name`
    b: !Output [x]
#      ^^^^^^^ tag-form
    c: !Connection {type: a, nm: b}
#      ^^^^^^^^^^^ tag-form
    d: !Parameter [a, b]
#      ^^^^^^^^^^ tag-form: `!Parameter` takes one name
    e: !Data {q: id}
#      ^^^^^ tag-form
    f: !Fn. x
#      ^^^^^^ tag-form: the name of a function is missing
"#
    unknown_tags_are_refused r#"
steps:
- name: a
  image: anything
  spec:
    a: !Paramter x
#      ^^^^^^^^^ unknown-tag: `!Paramter`
    b: !Fetch {a: b}
#      ^^^^^^ unknown-tag
    c: !Fn x
#      ^^^ unknown-tag: `!Fn`
    d: !Status x
#      ^^^^^^^ unknown-tag
"#
    names_are_written_out r#"
parameters: {true: {}, p: {}}
#            ^^^^ yaml-key
#            ^^^^ unused-parameter
#                      ^ unused-parameter
steps:
- name: a
  image: anything
  spec:
    a: !Parameter 5
#                 ^ malformed-reference: a parameter must be a plain text
    b: !Parameter 'true'
#                 ^^^^^^ malformed-reference
    c: !Secret
#      ^^^^^^^ malformed-reference: a secret
    d: !Parameter {name: !Parameter p}
#                        ^^^^^^^^^^^^ malformed-reference
    e: {$type: Connection, name: x}
#      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ malformed-reference: the `type` of a reference to a connection
    f: {$type: Nonsense, name: !Parameter nowhere}
"#
    templates_are_read r#"
parameters: {p: {}}
#            ^ unused-parameter
steps:
- name: a
  image: anything
  spec:
    a: x ${parameters.p +} y
#                        ^ template-syntax: this is no expression
    b: "x \" ${parameters.}"
#                         ^ template-syntax
    c: ${
#        ^ template-syntax
    d: |
      first ${parameters.p}
      second ${1 2}
#                ^ template-syntax
    ${not read}: $${nor this}
"#
    functions_exist r#"
parameters: {p: {}}
steps:
- name: a
  image: anything
  spec:
    a: !Fn.conct [a, !Parameter p]
#      ^^^^^^^^^ unknown-function: no function is called `conct`
    b: {$fn.equal: [1, 2]}
#       ^^^^^^^^^ unknown-function: `equal`
    c: ${tostring(parameters.p)}
#        ^^^^^^^^ unknown-function: `tostring`
    d: !Fn.matchesRegex [a, b]
#      ^^^^^^^^^^^^^^^^ unknown-function
    e: {$fn.anything: 1, more: 2}
"#
    functions_take_what_they_take r#"
steps:
- name: a
  image: anything
  spec:
    a: !Fn.equals [1]
#      ^^^^^^^^^^ function-arguments: `equals`
    b: !Fn.equals {a: 1}
#      ^^^^^^^^^^ function-arguments
    c: !Fn.concat [1, 2, 3]
    d: !Fn.merge {objects: [{a: 1}]}
    e: !Fn.now [1]
#      ^^^^^^^ function-arguments
    f: !Fn.toString x
    h: !Fn.merge {name: x}
#      ^^^^^^^^^ function-arguments: `merge` needs the argument `objects`
    g: {$fn.equals: "${[1, 2]}"}
"#
    steps_that_are_referred_to_exist r#"
steps:
- name: build
  image: anything
- name: deploy
  image: anything
  dependsOn: [biuld, build]
#             ^^^^^ unknown-step: no step is called `biuld`
  when: [!Fn.equals [!Output {from: nobody, name: x}, 1], "${steps.buidl.succeeded}"]
#                                   ^^^^^^ unknown-step
#                                                                  ^^^^^ unknown-step
  spec:
    a: !Output [buld, x]
#               ^^^^ unknown-step
    b: text ${outputs.bild.x} and ${outputs['bould'].x}
#                     ^^^^ unknown-step
#                                            ^^^^^ unknown-step
    c: ${$.outputs.'no step'.x}
#                   ^^^^^^^ unknown-step: `no step`
    d: {$type: Output, taskName: builder, name: x}
#                                ^^^^^^^ unknown-step
    e: ${outputs}
    f: ${outputs[parameters.p].x}
#                           ^ undeclared-parameter
"#
    parameters_are_declared r#"
parameters:
  deployment: {}
steps:
- name: a
  image: anything
  spec:
    a: !Fn.concat ["undo ", !Parameter deploymnet]
#                                      ^^^^^^^^^^ undeclared-parameter: `deploymnet`
    b: x ${parameters.deploy_ment} y
#                     ^^^^^^^^^^^ undeclared-parameter
    c: !Fn.coalesce [!Parameter region, eu, !Parameter deployment]
#                               ^^^^^^ undeclared-parameter
"#
    a_parameter_may_have_any_name r#"
parameters:
  my name: {}
  ${x}: {}
steps:
- name: a
  image: anything
  spec: {a: "${parameters.'my name'}", b: !Parameter '${x}'}
"#
    paths_begin_with_a_root r#"
steps:
- name: a
  image: anything
  spec:
    a: ${parametrs.x}
#        ^^^^^^^^^ unknown-root: `parametrs`
    b: ${exists(nothing.x)}
    c: ${outputs |> jsonMarshal($)}
    d: '${{a: 1}}'
"#
    some_references_have_their_place r#"
steps:
- name: gate
  type: approval
- name: a
  image: anything
  when: !Fn.equals [!Answer {askRef: gate, name: approval}, approved]
  spec:
    a: !Data id
#            ^^ out-of-place: a step knows nothing of the event
    b: ${event.id}
#        ^^^^^ out-of-place
    c: !Answer [gate, approval]
#               ^^^^ out-of-place: `when` only
- name: b
  image: anything
  when: !Fn.equals [!Answer {askRef: a, name: approval}, approved]
#                                    ^ unknown-step: no approval step
triggers:
- name: t
  source: {type: webhook, image: anything, spec: {a: !Parameter p, b: !Secret s}}
#                                                               ^ out-of-place: a webhook
#                                                               ^ undeclared-parameter
  when: !Fn.equals [!Data x, !Output [a, b]]
#                                     ^ out-of-place: a trigger knows its event only
"#
    keys_stay_with_the_host r#"
parameters:
  p: {}
steps:
- name: a
  image: anything
  when: !Fn.notEquals [!Secret password, ""]
#                              ^^^^^^^^ out-of-place: never given a secret
  spec:
    a: !Secret password
#              ^^^^^^^^ out-of-place: the step fails
    b: ${secrets.password}
#        ^^^^^^^ out-of-place
    c: "Bearer ${connections.kubernetes.prod.token}"
#                                            ^^^^^ out-of-place: a handle to a connection
    d: ${connections.kubernetes.prod}
    e: ${parameters.p}
"#
    connections_are_set_up r#"
steps:
- name: a
  image: anything
  spec:
    a: !Connection {type: kubernetes, name: prod}
    b: !Connection {type: kubernetes, name: prdo}
#                                           ^^^^ unknown-connection: `kubernetes` is called `prdo`
    c: !Connection [datadog, prod]
#                            ^^^^ unknown-connection
    d: ${connections.kubernetes.tset}
#                               ^^^^ unknown-connection
    e: !Connection {type: slack, name: team}
#                                      ^^^^ unknown-connection
    f: ${connections.kubernetes[parameters.c]}
#                                          ^ undeclared-parameter
"#
}
