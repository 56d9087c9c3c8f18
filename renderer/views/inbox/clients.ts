/** Settings to copy for the mail libraries people use, with this server's address in them. Pure. */
export interface ClientSettings {
  readonly id: string;
  readonly name: string;
  /** Where it goes: a file, or a shell. */
  readonly where: string;
  readonly code: string;
}

/** `host` without brackets; an IPv6 address is put in brackets where a URL needs it. */
export function clientSettings(host: string, port: number): readonly ClientSettings[] {
  return [
    {
      id: 'nodemailer',
      name: 'Nodemailer',
      where: 'JavaScript',
      code: `import nodemailer from 'nodemailer';

const transport = nodemailer.createTransport({
  host: '${host}',
  port: ${port},
  secure: false,
  ignoreTLS: true,
});`,
    },
    {
      id: 'django',
      name: 'Django',
      where: 'settings.py',
      code: `EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "${host}"
EMAIL_PORT = ${port}
EMAIL_USE_TLS = False`,
    },
    {
      id: 'laravel',
      name: 'Laravel',
      where: '.env',
      code: `MAIL_MAILER=smtp
MAIL_HOST=${host}
MAIL_PORT=${port}
MAIL_USERNAME=null
MAIL_PASSWORD=null
MAIL_ENCRYPTION=null`,
    },
    {
      id: 'rails',
      name: 'Rails',
      where: 'config/environments/development.rb',
      code: `config.action_mailer.delivery_method = :smtp
config.action_mailer.smtp_settings = {
  address: "${host}",
  port: ${port},
  enable_starttls_auto: false
}`,
    },
    {
      id: 'spring',
      name: 'Spring',
      where: 'application.properties',
      code: `spring.mail.host=${host}
spring.mail.port=${port}
spring.mail.properties.mail.smtp.auth=false
spring.mail.properties.mail.smtp.starttls.enable=false`,
    },
    {
      id: 'php',
      name: 'PHP',
      where: 'Symfony Mailer',
      code: `use Symfony\\Component\\Mailer\\Mailer;
use Symfony\\Component\\Mailer\\Transport;

$mailer = new Mailer(Transport::fromDsn('smtp://${bracketed(host)}:${port}'));`,
    },
    {
      id: 'python',
      name: 'Python',
      where: 'smtplib',
      code: `import smtplib
from email.message import EmailMessage

message = EmailMessage()
message["From"], message["To"] = "me@example.test", "you@example.test"
message["Subject"] = "Hello"
message.set_content("It works.")

with smtplib.SMTP("${host}", ${port}) as smtp:
    smtp.send_message(message)`,
    },
    {
      id: 'swaks',
      name: 'swaks',
      where: 'Shell',
      code: `swaks --server ${bracketed(host)} --port ${port} \\
  --from me@example.test --to you@example.test \\
  --header "Subject: Hello" --body "It works."`,
    },
  ];
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
