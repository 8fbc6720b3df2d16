// Loaded into nodes by a test.
import { setNextVersion } from '../support/set-next-version.js'

setNextVersion()
