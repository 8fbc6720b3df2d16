import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Command } from 'commander'
import { transformSync } from 'esbuild'
import { makeProgram } from '../src/cli/program.js'

/** The simulator prints the commands that replay its runs; generated code has no messages. */
const EXEMPT = /^(cli|sim|gen)\//

/** Rooms that know no gRPC at all. The peers' transport is gRPC, and has its status codes. */
const WITHOUT_GRPC = /^(paxos|tables|replication|app|protocol|storage|host)\//

/** Returns the code of a source file without comments, and with strings that are put together from parts made one. */
function codeOf(source: string): string {
  const options = { loader: 'ts', minifyWhitespace: true, minifySyntax: true, legalComments: 'none', charset: 'utf8' } as const
  return transformSync(source, options).code
}

function filesWhere(isWanted: (file: string) => boolean): string[] {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.ts') && isWanted(file))
}

const program = makeProgram()

/** Finds the CLI's commands and its flags in the strings of a source file. */
function commandsIn(source: string): string[] {
  const flags = new Set(withSubcommands(program).flatMap((command) => command.options.map(({ long }) => long?.slice(2))))
  const commands = program.commands.map((command) => command.name()).join('|')
  const names = [...flags].filter((flag) => flag !== undefined).join('|')
  const pattern = new RegExp(`\\bsynod (?:${commands})\\b|(?<=[\\s\`'"])--(?:${names})(?=[\\s\`'",:;)=])`, 'g')
  return Array.from(codeOf(source).matchAll(pattern), ([found]) => found)
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

test('a command or a flag of the CLI is found in every kind of string, and not in a comment', () => {
  const inStrings =
    "const a = 'run synod ' + 'member replace', b = `${a}: \\`synod recover --skip-slot ${a}\\``, c = 'say --join'"
  assert.deepEqual(commandsIn(`export ${inStrings}`), ['synod member', 'synod recover', '--skip-slot', '--join'])
  assert.deepEqual(commandsIn('// synod member\n/** `synod start` --join */ export let i = 0; export const n = i--;'), [])
})

test('messages below the CLI name none of its commands and flags: a remedy beside them has a code', () => {
  const found = filesWhere((file) => !EXEMPT.test(file)).flatMap((file) => {
    const commands = commandsIn(readFileSync(`src/${file}`, 'utf8'))
    return commands.map((command) => `src/${file}: ${command}`)
  })
  assert.deepEqual(found, [])
})

test('what lies below the doors, but for the transport, knows no gRPC', () => {
  const files = filesWhere((file) => WITHOUT_GRPC.test(file))
  assert.ok(files.length > 150, `${files.length} files`)
  const found = files.filter((file) =>
    /["'](@grpc\/|[^"']*\/gen\/google\/rpc\/)/.test(codeOf(readFileSync(`src/${file}`, 'utf8'))),
  )
  assert.deepEqual(found, [])
})
