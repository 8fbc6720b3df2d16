// Of read-database.test.ts: writes to a database and is killed at the end, whatever LevelDB does in the background then.
import { Random } from '../../src/sim/random.js'
import { openSmall, writeAtRandom } from './random-writes.js'

const [path, seed] = process.argv.slice(2)
if (path === undefined || seed === undefined) throw new Error('usage: random-writes-process PATH SEED')

const db = await openSmall(path)
await writeAtRandom(db, new Random(Number(seed)))
process.kill(process.pid, 'SIGKILL')
