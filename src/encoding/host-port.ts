import { isIPv6 } from 'node:net'

export interface HostPort {
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: number
}

/** The form of an address, for people. */
export const HOST_PORT_FORM = 'HOST:PORT, with a port from 1 to 65,535'

/** A name or an IPv4 address has letters, digits, dots, hyphens and underscores; an IPv6 address stands in brackets. */
const HOST_AND_PORT = /^(?:\[([^\]]*)\]|([\p{L}\p{M}\p{N}._-]*[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*)):(\d{1,5})$/u

/** Returns whether a text is host:port, and nothing that a list of addresses, a URL or a resolver would take for something else. */
export function isHostPort(text: string): boolean {
  const [, bracketed, , port = ''] = HOST_AND_PORT.exec(text) ?? []
  if (bracketed !== undefined && !isIPv6(bracketed)) return false
  return Number(port) >= 1 && Number(port) <= 65_535
}

/** The two parts of host:port or [IPv6]:port, which the caller has found well formed. */
export function splitHostPort(address: string): HostPort {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}

/** The same host, as it is written, with another port: that which port 0 has become. */
export function withPort(address: string, port: number): string {
  return `${address.slice(0, address.lastIndexOf(':'))}:${port}`
}
