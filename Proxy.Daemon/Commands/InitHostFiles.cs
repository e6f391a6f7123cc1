using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace TorBalancer.Daemon.Commands;

/// <summary>A configuration to begin with, and a torrc for each worker on another host.</summary>
internal sealed class InitHostFiles(InitPlan plan)
{
    private const string Conf = "torbalancer.conf";

    // Hexadecimal digits of a password: 128 bits.
    private const int PasswordDigits = 32;

    private readonly string[] _passwords =
        [.. plan.Workers.Select(_ => plan.HasControl ? RandomNumberGenerator.GetHexString(PasswordDigits, lowercase: true) : "")];

    public IEnumerable<string> Paths =>
    [
        Conf, InitFiles.ReadMe, .. plan.Workers.Select((_, i) => TorrcPath(i)),
        .. plan.Network is null ? (string[])[] : [GatewayFiles.Rules, GatewayFiles.Kernel],
    ];

    public IEnumerable<(string Path, string Text)> Render()
    {
        yield return (Conf, Configuration());
        yield return (InitFiles.ReadMe, ReadMe());
        for (int i = 0; i < plan.Workers.Count; i++)
            yield return (TorrcPath(i), Torrc(i));
        if (plan.Network is not { } network)
            yield break;
        var files = new GatewayFiles(network);
        yield return (GatewayFiles.Rules, files.RulesText());
        yield return (GatewayFiles.Kernel, files.KernelText());
    }

    /// <summary>
    /// As <c>tor --hash-password</c>: 16:, the salt with its indicator, and the SHA-1 of the iterated salt and password (RFC 2440,
    /// section 3.6.1.3).
    /// </summary>
    internal static string HashPassword(string password, ReadOnlySpan<byte> salt)
    {
        const byte indicator = 0x60;
        const int count = (16 + (indicator & 15)) << ((indicator >> 4) + 6);
        byte[] once = [.. salt, .. Encoding.ASCII.GetBytes(password)];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        for (int left = count; left > 0; left -= once.Length)
            hash.AppendData(once.AsSpan(0, Math.Min(left, once.Length)));
        return $"16:{Convert.ToHexString(salt)}{indicator:X2}{Convert.ToHexString(hash.GetHashAndReset())}";
    }

    private string Configuration()
    {
        var text = new StringBuilder(Text($"""
            ; Made by: torbalancer init. What is not here has its default; torbalancer.conf(5) has every key.
            ; Is it right? torbalancer check --config {Conf}

            ; ---- Where programs connect: http://{plan.Listen}, socks5h://{plan.Listen}.
            [Listener:main]
            Address = {plan.Listen}

            """));
        if (!IPAddress.IsLoopback(plan.Listen.Address))
        {
            text.Append("""
                ; Other machines can reach it: say which may use it, or ask for passwords.
                AllowFrom = 127.0.0.0/8, ::1, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7
                ;Auth = required
                ;UsersFile = /etc/torbalancer/users

                """);
        }

        if (plan.Network is { } network)
            text.Append(new GatewayFiles(network).Sections());
        text.Append(Text($"""

            ; ---- How a worker is picked; clients may ask for another mode in their user name.
            [Balancing]
            Mode = {plan.Mode}
            ; What keeps circuits apart: client, user, destination, connection or none.
            ;Isolation = client

            """));
        if (plan.Workers.Count == 0)
        {
            text.Append(Text($"""

                ; ---- Tor processes of the daemon's own. Each brings guards of its own: few are better.
                [ManagedWorkers]
                Count = {plan.Managed}
                ; Where their exits are, in place of Count: de, us:2, any
                ;Countries =

                """));
        }
        else
            text.Append("\n; ---- The workers. Their order is that of mode failover.\n");
        for (int i = 0; i < plan.Workers.Count; i++)
            text.Append(Worker(i));
        return text.ToString();
    }

    private string Worker(int index)
    {
        var worker = plan.Workers[index];
        string control = plan.HasControl
            ? Text($"ControlPort = {InitPlan.ControlPortOf(worker)}\nControlPassword = {_passwords[index]}\n")
            : "; With a ControlPort its circuits and exits are watched, and those that fail avoided.\n"
                + Text($";ControlPort = {InitPlan.ControlPortOf(worker)}\n;ControlPassword =\n");
        return Text($"""
            [Worker:{Id(index)}]
            Address = {worker.Address}
            SocksPort = {worker.Port}
            {control}
            """) + "\n";
    }

    private string Torrc(int index)
    {
        var worker = plan.Workers[index];
        bool isLocal = IPAddress.IsLoopback(worker.Address);
        string gateway = plan.Gateway is { AddressFamily: AddressFamily.InterNetworkV6 } six ? $"[{six}]" : $"{plan.Gateway}";
        string policy = isLocal ? "" : Text($"SocksPolicy accept {gateway}\nSocksPolicy reject *\n");
        var control = new IPEndPoint(worker.Address, InitPlan.ControlPortOf(worker));
        string port = plan.HasControl
            ? Text($"""

                # Whoever has the password may see and change everything: keep it off networks that others can read.
                ControlPort {control}
                HashedControlPassword {HashPassword(_passwords[index], RandomNumberGenerator.GetBytes(8))}

                """)
            : "";
        return Text($"""
            # {Id(index)}, a tor for TorBalancer. To /etc/tor/torrc on {worker.Address}, then: systemctl restart tor
            ClientOnly 1
            SafeLogging 1

            # TorBalancer sends a token as user name and password for whatever has to be kept apart.
            SocksPort {worker} IsolateSOCKSAuth ExtendedErrors KeepAliveIsolateSOCKSAuth
            {policy}{port}
            # A worker that nobody used for a day is still to answer at once.
            DormantTimeoutEnabled 0

            """);
    }

    private string ReadMe()
    {
        var text = new StringBuilder(Text($"""
            Made by: torbalancer init.

              {Conf}        to /etc/torbalancer/{Conf}, or anywhere: torbalancer run --config FILE

            """));
        for (int i = 0; i < plan.Workers.Count; i++)
            text.Append(Text($"  {TorrcPath(i)}         to /etc/tor/torrc on {plan.Workers[i].Address}; then: systemctl restart tor\n"));
        if (plan.Workers.Any(static worker => !IPAddress.IsLoopback(worker.Address)))
        {
            text.Append("""

                SOCKS crosses the network to the workers in the clear: whoever carries it reads names of targets. Over networks that are not
                your own, put WireGuard in between: torbalancer init --wireguard writes both ends.

                """);
        }

        if (plan.Network is { } network)
            text.Append(new GatewayFiles(network).ReadMe());
        if (plan.HasControl)
            text.Append("\nThe files hold passwords, in torrc their hashes; they are readable for you only.\n");
        text.Append("\nThen: torbalancer check, torbalancer run, torbalancer doctor\n");
        return text.ToString();
    }

    private static string TorrcPath(int index) => $"{Id(index)}/torrc";

    private static string Id(int index) => Text($"worker-{index + 1:00}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
