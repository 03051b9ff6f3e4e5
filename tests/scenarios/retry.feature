Feature: Tries

  Scenario: A service that comes back
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - patient:
          try:
            - ask:
                call: http
                with:
                  method: get
                  endpoint: https://httpbin.org/flaky/a/2
          catch:
            errors: { with: { status: 503 } }
            retry:
              delay: { milliseconds: 10 }
              backoff: { exponential: {} }
              limit: { attempt: { count: 5 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    try: 3
    """

  Scenario: A service that stays away
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - patient:
          try:
            - ask:
                call: http
                with:
                  method: get
                  endpoint: https://httpbin.org/flaky/b/9
          catch:
            as: why
            retry:
              delay: { milliseconds: 5 }
              limit: { attempt: { count: 2 } }
            do:
              - tell:
                  set: { gone: "${ $why.status }" }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    gone: 503
    """
