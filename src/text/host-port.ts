export interface HostPort {
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: number
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
