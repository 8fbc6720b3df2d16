// Loaded into nodes by a test.
import { setBomb } from '../support/set-bomb.js'

setBomb()
