Feature: Data

  Scenario: The workflow makes its own input and output
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    input: { from: .order }
    output: { as: "{ total: .sum }" }
    do:
      - add:
          set: { sum: "${ .a + .b }" }
    """
    And given the workflow input is:
    """yaml
    order: { a: 1, b: 2 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    total: 3
    """

  Scenario: The context outlives the data
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - keep:
          set: { a: 1 }
          export: { as: "{ kept: .a }" }
      - forget:
          set: { b: 2 }
      - recall:
          set: { sum: "${ .b + $context.kept }" }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 3
    """

  Scenario: Input that does not hold to its schema
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    input:
      schema:
        document:
          type: object
          required: [name]
    do:
      - a:
          set: { x: 1 }
    """
    And given the workflow input is:
    """yaml
    other: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 400
    type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
    """

  Scenario: A task knows its surroundings
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - look:
          set:
            task: "${ $task.name }"
            place: "${ $task.reference }"
            given: "${ $workflow.input.n }"
            by: "${ $runtime.name }"
    """
    And given the workflow input is:
    """yaml
    n: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    task: look
    place: /do/0/look
    given: 7
    by: demon
    """
