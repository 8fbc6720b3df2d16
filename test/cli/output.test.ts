import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CliError, describeAsJson, exitCodeOf, describe as tell } from '../../src/cli/failure.js'
import { checkOneCluster } from '../../src/cli/local-cluster.js'
import { formatTable, jsonOf } from '../../src/cli/output.js'
import { shown, shownBytes, shownLines } from '../../src/cli/shown.js'
import { SynodError } from '../../src/client/client.js'

describe('what the command prints', () => {
  it('a table has its numbers to the right and no blanks at the ends of lines', () => {
    const rows = [
      ['alice', '-5', ''],
      ['bob', '1000', 'x'],
    ]
    assert.equal(formatTable(['id', 'n', 'last'], rows), ['id        n  last', 'alice    -5', 'bob    1000  x'].join('\n'))
    assert.equal(formatTable(['id', 'n'], []), 'id  n')
  })

  it('what would act on a terminal is shown there with escapes, and goes everywhere else as it is', () => {
    const terminal = { isTTY: true }
    const texts: [string, string][] = [
      ['\u001b[31mred\u001b]0;title\u0007', '\\x1b[31mred\\x1b]0;title\\x07'],
      ['a\nb\rc\td\0', 'a\\nb\\rc\\td\\x00'],
      ['\u007f\u0080\u009b31m', '\\x7f\\x80\\x9b31m'],
      ['evil\u202Etxt.exe\u2066\u200f\u061c', 'evil\\u{202e}txt.exe\\u{2066}\\u{200f}\\u{61c}'],
      ['\uFEFFid\u2028\u{E0041}', '\\u{feff}id\\u{2028}\\u{e0041}'],
      ['Grüße 👩‍👩‍👧 नमस्ते \\', 'Grüße 👩‍👩‍👧 नमस्ते \\'],
    ]
    for (const [text, onTerminal] of texts) {
      assert.equal(shown(text, terminal), onTerminal)
      assert.equal(shown(text, {}), text)
    }
    assert.equal(shownLines('a\n\u001b[1mb\u001b[22m\t\u001b[2J', terminal), 'a\n\u001b[1mb\u001b[22m\t\\x1b[2J')
    assert.equal(shownBytes(Buffer.from([0x61, 0xff, 0x80])), 'a\\xff\\x80')
    const json = jsonOf({ '\u009b': '\u202e\u{E0041}\u007f\n' })
    assert.doesNotMatch(json, /[^ -~]/)
    assert.deepEqual(JSON.parse(json), { '\u009b': '\u202e\u{E0041}\u007f\n' })
  })

  it('nodes with data of different clusters are named, nodes that are down or still join are not', () => {
    const [a, b] = [
      { nodeId: 2, clusterId: 'a' },
      { nodeId: 3, clusterId: 'b' },
    ]
    checkOneCluster([undefined, { nodeId: 1, clusterId: '' }, a, { ...a, nodeId: 4 }])
    assert.throws(() => checkOneCluster([undefined, { nodeId: 1, clusterId: '' }, a, b]), /node 2 and node 3 .* a and b/)
  })

  it('the exit code says what kind of failure it was', () => {
    const codes = [
      'FAILED_PRECONDITION',
      'NOT_FOUND',
      'INVALID_ARGUMENT',
      'UNAVAILABLE',
      'OUTCOME_UNKNOWN',
      'RESOURCE_EXHAUSTED',
    ] as const
    assert.deepEqual(
      codes.map((code) => exitCodeOf(new SynodError(code, 'REASON', 'message'))),
      [1, 1, 2, 3, 3, 3],
    )
    assert.equal(exitCodeOf(new CliError('failed')), 1)
    assert.equal(exitCodeOf(new TypeError('a mistake of ours')), 1)
  })

  it('an error of the SDK is told with its reason, for people and for programs', () => {
    const error = new SynodError('NOT_FOUND', 'ACCOUNT_NOT_FOUND', 'there is no account "x"')
    assert.equal(tell(error), 'ACCOUNT_NOT_FOUND: there is no account "x"')
    assert.deepEqual(describeAsJson(error), {
      error: {
        code: 'NOT_FOUND',
        reason: 'ACCOUNT_NOT_FOUND',
        message: 'there is no account "x"',
        retrySafe: false,
        fieldViolations: [],
      },
    })
  })
})
