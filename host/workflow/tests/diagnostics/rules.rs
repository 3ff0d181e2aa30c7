//! Findings about steps, conditions, parameters and triggers.

use crate::fixtures;

fixtures! {
    names_of_steps_are_unique r#"
steps:
- {name: a, image: anything}
- {name: b, image: anything}
- {name: a, image: anything}
#        ^ duplicate-step: a step is called `a` already
- {name: a, image: anything}
#        ^ duplicate-step
"#
    names_of_steps_can_be_printed r#"
steps:
- {name: "a\nb", image: anything}
#        ^^^^^^ step-name: `a\nb` is no name
"#
    a_step_does_not_wait_for_itself r#"
steps:
- name: a
  image: anything
  dependsOn: a
#            ^ self-dependency: `a` waits for itself
- name: b
  image: anything
  spec: {x: !Output [b, x]}
#                    ^ self-dependency: an output of itself
- name: c
  image: anything
  when: ${steps.c.failed}
#               ^ self-dependency: how itself ended
"#
    steps_do_not_wait_in_a_circle r#"
steps:
- name: a
  image: anything
  dependsOn: c
#            ^ cycle: `a` → `c` → `b` → `a`
- name: b
  image: anything
  spec: {x: !Output [a, x]}
- name: c
  image: anything
  when: ${steps.b.succeeded}
"#
    each_circle_is_told_once r#"
steps:
- {name: a, image: anything, dependsOn: b}
#                                       ^ cycle
- {name: b, image: anything, dependsOn: a}
- {name: c, image: anything, dependsOn: [a, d]}
#                                           ^ cycle
- {name: d, image: anything, dependsOn: c}
"#
    a_gate_may_ask_for_its_own_answer r#"
steps:
- name: gate
  type: approval
  when: !Fn.equals [!Answer {askRef: gate, name: approval}, approved]
"#
    parameters_are_used r#"
parameters:
  used: {}
  bound: {default: 1}
# ^^^^^ unused-parameter: no step uses the parameter `bound`
steps:
- {name: a, image: anything, spec: {x: !Parameter used}}
triggers:
- {name: t, source: {type: push}, binding: {parameters: {bound: 1, used: 2}}}
"#
    who_takes_all_parameters_uses_each r#"
parameters: {a: {}, b: {}}
steps:
- {name: a, image: anything, spec: {x: "${jsonMarshal(parameters)}"}}
"#
    triggers_give_what_a_run_needs r#"
parameters: {a: {}, b: {default: 1}}
steps:
- {name: a, image: anything, spec: {x: !Parameter a, y: !Parameter b}}
triggers:
- {name: t, source: {type: push}}
#        ^ unbound-parameter: no value for `a`
- {name: u, source: {type: push}, binding: {parameters: {aa: 1, a: 2}}}
#                                                        ^^ undeclared-parameter: declares no parameter `aa`
"#
    schedules_are_cron r#"
triggers:
- {name: a, source: {type: schedule, schedule: '0 6 * * MON-FRI'}}
- {name: b, source: {type: schedule, schedule: '@every 1h30m'}}
- {name: c, source: {type: schedule, schedule: '* * * *'}}
#                                              ^^^^^^^^^ bad-schedule: `* * * *` is no schedule
- {name: d, source: {type: schedule, schedule: ''}}
#                                              ^^ bad-schedule
- {name: e, source: {type: schedule, schedule: '0 6 * * 7'}}
#                                              ^^^^^^^^^^^ bad-schedule
"#
    conditions_are_true_or_false r#"
parameters: {p: {}}
steps:
- {name: a, image: anything, when: 'yes'}
#                                  ^^^^^ when-type: a condition must be true or false
- {name: b, image: anything, when: [true, 5]}
#                                         ^ when-type
- {name: c, image: anything, when: !Fn.equals [!Parameter p, x]}
- {name: d, image: anything, when: []}
- {name: e, image: anything, when: }
- {name: f, image: anything, when: true}
"#
    conditions_that_are_never_met_are_told r#"
steps:
- {name: a, image: anything, when: false}
#                                  ^^^^^ never-runs
- {name: b, image: anything, when: [true, !Fn.equals [1, 2]]}
#                                         ^^^^^^^^^^^^^^^^^ never-runs
"#
    all_mistakes_are_told_at_once r#"
steps:
- name: a
  image: nowhere
#        ^^^^^^^ missing-plugin
  dependsOn: b
#            ^ unknown-step
  spec: {x: !Parameter p, y: !Fn.nope [1], z: '${'}
#                      ^ undeclared-parameter
#                            ^^^^^^^^ unknown-function
#                                                ^ template-syntax
- name: a
#       ^ duplicate-step
  image: anything
  bogus: 1
# ^^^^^ unknown-key
"#
}
