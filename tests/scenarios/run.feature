Feature: Programs

  Scenario: A shell command with arguments and an environment
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - say:
          run:
            shell:
              command: printf '%s %s' "$1" "$WHO"
              arguments: [ "${ .greeting }" ]
              environment:
                WHO: world
    """
    And given the workflow input is:
    """yaml
    greeting: hello
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    hello world
    """

  Scenario: What comes back is chosen
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - say:
          run:
            shell:
              command: echo out; echo err >&2
            return: all
          output:
            as: "{ stdout, stderr }"
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    stdout: "out\n"
    stderr: "err\n"
    """

  Scenario: A script
    Given a workflow with definition:
    """yaml
    document:
      dsl: '1.0.3'
      namespace: default
      name: own
      version: '1.0.0'
    do:
      - count:
          run:
            script:
              language: python
              code: |
                import sys
                print(sum(int(n) for n in sys.argv[1:]), end="")
              arguments: [ "1", "2", "3" ]
          output:
            as: tonumber
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    6
    """
