/**
 * The Debian packages that the suites need, each with its reason and what tells that it is there. The only list.
 */
export interface SystemPackage {
  readonly name: string;
  readonly reason: string;
  /** A program that it brings, or for a library its file. */
  readonly program?: string;
  readonly library?: string;
  /** A command, by argv, that ends with 0 when it is there. */
  readonly probe?: readonly [string, ...string[]];
  /** Suites that cannot run without it. */
  readonly suites: readonly ('electron' | 'chromium' | 'package' | 'whole')[];
  /** The name on releases where `name` does not exist. */
  readonly otherwise?: string;
}

const electron = ['electron', 'package'] as const;

export const systemPackages: readonly SystemPackage[] = [
  { name: 'chromium', program: 'chromium', suites: ['chromium'], reason: 'UI specs in a browser' },
  { name: 'xvfb', program: 'Xvfb', suites: electron, reason: 'a display for Electron' },
  { name: 'libnss3', library: 'libnss3.so', suites: electron, reason: 'Electron' },
  {
    name: 'libatk1.0-0',
    library: 'libatk-1.0.so.0',
    suites: electron,
    reason: 'Electron',
    otherwise: 'libatk1.0-0t64',
  },
  {
    name: 'libatk-bridge2.0-0',
    library: 'libatk-bridge-2.0.so.0',
    suites: electron,
    reason: 'Electron',
    otherwise: 'libatk-bridge2.0-0t64',
  },
  { name: 'libgtk-3-0', library: 'libgtk-3.so.0', suites: electron, reason: 'Electron', otherwise: 'libgtk-3-0t64' },
  { name: 'libgbm1', library: 'libgbm.so.1', suites: electron, reason: 'Electron' },
  { name: 'libasound2', library: 'libasound.so.2', suites: electron, reason: 'Electron', otherwise: 'libasound2t64' },
  { name: 'postfix', program: 'postfix', suites: ['whole'], reason: 'the reference, and smtp-source as a real client' },
  { name: 'swaks', program: 'swaks', suites: ['whole'], reason: 'a real SMTP client' },
  {
    name: 'libnet-ssleay-perl',
    probe: ['perl', '-MNet::SSLeay', '-e', '1'],
    suites: ['whole'],
    reason: 'STARTTLS in swaks',
  },
  { name: 'strace', program: 'strace', suites: ['whole'], reason: 'disk errors injected into the queue store' },
  {
    name: 'fonts-noto-cjk',
    probe: ['fc-list', '-q', ':lang=zh-cn'],
    suites: ['chromium', 'electron'],
    reason: 'Chinese in the pictures of the pages',
  },
  { name: 'curl', program: 'curl', suites: ['whole'], reason: 'a real SMTP client' },
  { name: 'python3', program: 'python3', suites: ['whole'], reason: 'smtplib and mailbox: client and reader' },
];
