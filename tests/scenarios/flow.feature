Feature: Flow

  Scenario: A wait lets time pass and the data as they are
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - a:
          set: { x: 1 }
      - pause:
          wait: { milliseconds: 20 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 1
    """

  Scenario: A loop within a loop
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - outer:
          for: { each: a, in: "[1, 2]" }
          do:
            - inner:
                for: { each: b, in: "[10, 20]" }
                do:
                  - add:
                      set: { all: "${ (.all // []) + [$a + $b] }" }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    all: [11, 21, 12, 22]
    """

  Scenario: A switch leads back
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - count:
          set: { n: "${ (.n // 0) + 1 }" }
      - enough:
          switch:
            - more:
                when: .n < 3
                then: count
            - done:
                then: end
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 3
    """

  Scenario: A task that is passed over
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - a:
          set: { x: 1 }
      - never:
          if: .x == 2
          set: { x: 9 }
          then: end
      - b:
          set: { y: "${ .x + 1 }" }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    y: 2
    """

  Scenario: End in the depth
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - a:
          do:
            - b:
                for: { in: "[1, 2, 3]" }
                do:
                  - c:
                      if: $item == 2
                      set: { last: "${ $item }" }
                      then: end
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    last: 2
    """
