// Compares proto/ with the protos as they landed last, proto/landed.binpb: what an older node, an older client or an older data directory
// could not read fails `npm run check`.
//
//   npm run protos:land                        writes proto/landed.binpb anew: by intention only, with the change of the protos
//   node scripts/protos.mjs check DIR FILE     compares the protos in DIR with those in FILE
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

const LANDED = resolve('proto/landed.binpb')
const BUF = resolve('node_modules/.bin/buf')

/** Clients are generated from these: names count too, in code and in JSON. */
const FOR_CLIENTS = {
  folders: ['bank', 'cluster', 'common', 'kv', 'session'],
  use: ['FILE', 'WIRE_JSON'],
}
/** Only our own nodes read these, from peers and from disks of other versions: numbers and types count. */
const FOR_NODES = {
  folders: ['backup', 'log', 'peer', 'state', 'storage'],
  use: ['WIRE', 'PACKAGE_MESSAGE_NO_DELETE', 'PACKAGE_ENUM_NO_DELETE'],
}

/** Reports each incompatible change. */
export function areProtosCompatible(directory = 'proto', against = LANDED) {
  const results = [FOR_CLIENTS, FOR_NODES].map(({ folders, use }) => {
    const others = [...FOR_CLIENTS.folders, ...FOR_NODES.folders].filter((folder) => !folders.includes(folder))
    const ignore = ['grpc', 'google', ...others.map((folder) => `synod/${folder}`)]
    const config = JSON.stringify({ version: 'v2', modules: [{ path: '.' }], breaking: { use, ignore } })
    // In the folder itself: buf takes no other input for a module at '.'.
    return buf(directory, 'breaking', '--against', resolve(against), '--config', config)
  })
  const unlisted = readdirSync(join(directory, 'synod')).filter(
    (folder) => ![...FOR_CLIENTS.folders, ...FOR_NODES.folders].includes(folder),
  )
  for (const folder of unlisted) console.error(`proto/synod/${folder}: say in scripts/protos.mjs who reads it`)
  return unlisted.length === 0 && results.every(Boolean)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , task, directory, against] = process.argv
  if (task === 'land') process.exitCode = buf('.', 'build', '--exclude-source-info', '-o', LANDED) ? 0 : 1
  else if (task === 'check') process.exitCode = areProtosCompatible(directory, against) ? 0 : 1
  else {
    console.error('protos.mjs land | check [DIR [FILE]]')
    process.exitCode = 2
  }
}

function buf(cwd, ...args) {
  return spawnSync(BUF, args, { cwd, stdio: 'inherit' }).status === 0
}
