Feature: Errors

  Scenario: An error of use has a name
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    use:
      errors:
        full: { type: https://example.com/full, status: 507, title: No room }
    do:
      - a:
          raise: { error: full }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/full
    status: 507
    title: No room
    instance: /do/0/a
    """

  Scenario: Only what the filter names is caught
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - outer:
          try:
            - inner:
                try:
                  - bad:
                      raise: { error: { type: a, status: 400 } }
                catch:
                  errors: { with: { type: b } }
                  do:
                    - no:
                        set: { by: inner }
          catch:
            do:
              - yes:
                  set: { by: outer }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    by: outer
    """

  Scenario: The time of the workflow
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    timeout: { after: { milliseconds: 200 } }
    do:
      - pause:
          wait: PT1H
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
    """
