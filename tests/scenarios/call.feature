Feature: Calls

  Scenario: A program answers with what it wrote
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - ask:
          call: exec
          with:
            command: [printf, "%s", "${ .who }"]
          output:
            as: .stdout
    """
    And given the workflow input is:
    """yaml
    who: world
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    world
    """

  Scenario: A function of use is called with what its caller adds
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    use:
      functions:
        say:
          call: exec
          with: { command: [printf, one] }
    do:
      - ask:
          call: say
          with: { command: [printf, two] }
          output: { as: .stdout }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    two
    """

  Scenario: A program that fails is an error of its own
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - ask:
          call: exec
          with: { command: [sh, -c, "exit 7"] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 500
    type: https://serverlessworkflow.io/spec/1.0.0/errors/runtime
    instance: /do/0/ask
    """

  Scenario: Authentication has a name
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    use:
      authentications:
        mine: { basic: { username: ann, password: secret } }
    do:
      - login:
          call: http
          with:
            method: get
            endpoint:
              uri: https://httpbin.org/basic-auth/{user}/secret
              authentication: { use: mine }
    """
    And given the workflow input is:
    """yaml
    user: ann
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'user' property with value:
    """yaml
    ann
    """

  Scenario: The time of a task ends its program
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - slow:
          timeout: { after: { milliseconds: 300 } }
          call: exec
          with: { command: [sleep, "60"] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
    instance: /do/0/slow
    """
