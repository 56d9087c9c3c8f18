/** What the Overview says. */
import type { overview as english } from '../en/overview.ts';
import { formatNumber } from '../format.ts';
import type { Shape } from '../shape.ts';

const n = (value: number): string => formatNumber('zh', value);

export const overview: Shape<typeof english> = {
  title: '概览',
  sub: (software, version, host) => `${host} · ${software} ${version}`,
  profile: { sink: '邮件收集', server: '邮件服务器', postfix: 'Postfix' },
  profileSentence: {
    sink: '接受所有邮件并保存在此，不向外发送。',
    server: '投递本域邮件，其余转发。',
    postfix: '一台 Postfix 服务器。',
  },
  flow: {
    title: '邮件的路径',
    since: (when) => `自服务器启动以来（${when}）`,
    program: '您的程序',
    programSub: '通过 SMTP 发送',
    mta: 'Postrider',
    mailboxes: '邮箱',
    mailboxesSub: (count) => `${n(count)} 个 Maildir`,
    mailboxesHold: (count) => `${n(count)} 封邮件`,
    nextHop: '下一台服务器',
    nextHopSub: (relayhost) => relayhost,
    nextHopMx: '按 MX 记录',
    reader: '您',
    readerSub: '在此阅读',
    rejected: '拒绝',
    received: '接受',
    delivered: '已投递',
    relayed: '已转发',
    bounced: '退信',
    deferred: '延迟',
    unread: '未读',
    nothingRelayed: '不外发',
    description: (received, delivered, relayed, queued) =>
      `接受 ${n(received)} 封，队列中 ${n(queued)} 封，投递到邮箱 ${n(delivered)} 封，转发 ${n(relayed)} 封。`,
  },
  queues: { incoming: '进入', active: '活动', deferred: '延迟', hold: '保留', corrupt: '损坏' },
  listeners: {
    title: '监听端口',
    address: '地址',
    tls: { none: '无 TLS', starttls: 'STARTTLS', wrapper: '全程 TLS' },
    moved: (wanted, got) => `原定端口 ${wanted} 已被占用，改用 ${got}`,
    wide: '其他机器可以访问',
    wideHint: '任何能访问该地址的人都可以投递邮件。设置 inet_interfaces = loopback-only 即可关闭。',
    loopback: '仅限本机',
    none: '没有打开的监听端口：程序无法向这里发送邮件。',
  },
  findings: {
    title: '检查结果',
    none: '一切正常',
    noneBody: '配置已读取，端口已打开，数据目录可写。',
    level: { info: '提示', warning: '警告', error: '错误' },
    at: (file, line) => (line === undefined ? file : `${file} 第 ${line} 行`),
  },
  remedies: {
    'bound-beyond-loopback': '在 main.cf 中设置 inet_interfaces = loopback-only，或限制可连接的客户端。',
    'port-taken': '停止占用该端口的程序，或让您的程序使用新端口。',
    'disk-low': '请释放数据目录所在磁盘的空间；在此之前邮件会被暂时拒绝（452）。',
  },
  facts: {
    title: '此服务器',
    profile: '用途',
    hostname: '主机名',
    domain: '域名',
    data: '数据目录',
    uptime: '运行时间',
    pid: '进程',
    sessions: '当前会话',
    version: '版本',
    uptimeSince: (span, when) => `${span}，始于 ${when}`,
  },
  reload: '重新读取配置',
  reloaded: '配置已读取',
  reloadedWith: (count) => `配置已读取，${n(count)} 条检查结果`,
  stop: {
    action: '停止服务器',
    title: (name) => `停止 ${name}？`,
    body: '服务器会完成手头的工作；再次启动之前，程序无法向这里发送邮件。队列中的邮件会保留。',
  },
};
