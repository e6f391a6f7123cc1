using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>What every kind of client is to be told of one failure.</summary>
/// <param name="Socks5">REP on an ordinary listener.</param>
/// <param name="Extended">REP on a listener with ExtendedErrors.</param>
/// <param name="Status">The HTTP status, for CONNECT as for a request in absolute form.</param>
/// <param name="ErrorType">RFC 9209's word in Proxy-Status.</param>
/// <param name="Cause">Our word.</param>
/// <param name="Attempts">How many workers were asked; 0 where it may be any number.</param>
internal sealed record Expected(int Socks5, int Extended, int Status, string ErrorType, string Cause, int Attempts);

/// <summary>Asks in every way and compares.</summary>
internal static class ErrorMatrix
{
    private const int Socks4Rejected = 0x5B;

    // Over the configured time: what a loaded machine may take on its way to a timer.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    /// <summary>Gives the proxy its second listener, which sends extended error codes.</summary>
    public static void AddExtendedListener(TorBalancerOptions options) =>
        options.Listeners.Add(
            new ListenerOptions { Name = "extended", Address = new IPEndPoint(IPAddress.Loopback, 0), ExtendedErrors = true });

    /// <summary>All ways at one time, all answered within the proxy's own limit.</summary>
    public static async Task<Dictionary<ProbeKind, ProbeAnswer>> AskAllAsync(
        ProxyUnderTest proxy, string host, int port, TimeSpan limit, CancellationToken token)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(token);
        deadline.CancelAfter(limit + Margin);
        var answers = await Task.WhenAll(ClientProbe.All.Select(async kind =>
        {
            var address = proxy.Server.Addresses[kind == ProbeKind.Socks5Extended ? 1 : 0].Address;
            return (kind, Answer: await ClientProbe.AskAsync(kind, address, host, port, deadline.Token));
        }));
        return answers.ToDictionary(static one => one.kind, static one => one.Answer);
    }

    public static async Task AssertAsync(
        ProxyUnderTest proxy, string host, int port, TimeSpan limit, Expected expected, CancellationToken token)
    {
        var answers = await AskAllAsync(proxy, host, port, limit, token);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers[ProbeKind.Socks5].Code, Is.EqualTo(expected.Socks5), "SOCKS5");
            Assert.That(answers[ProbeKind.Socks5Extended].Code, Is.EqualTo(expected.Extended), "SOCKS5 with extended errors");
            Assert.That(answers[ProbeKind.Socks4a].Code, Is.EqualTo(Socks4Rejected), "SOCKS4a");
            foreach (var kind in (ProbeKind[])[ProbeKind.Socks5, ProbeKind.Socks5Extended, ProbeKind.Socks4a])
                Assert.That(answers[kind].Rest, Is.Empty, $"{kind}: bytes behind the reply");
            foreach (var kind in (ProbeKind[])[ProbeKind.Connect, ProbeKind.Absolute])
            {
                ProbeAnswer answer = answers[kind];
                Assert.That(answer.Code, Is.EqualTo(expected.Status), $"{kind}: {answer.Head}");
                Assert.That(
                    answer.Header("Proxy-Status"),
                    Does.StartWith($"torbalancer; error={expected.ErrorType}; details=\"cause={expected.Cause}"), kind.ToString());
                if (expected.Attempts > 0)
                    Assert.That(answer.Header("Proxy-Status"), Does.Contain($"attempts={expected.Attempts}\""), kind.ToString());
                Assert.That(answer.Header("Retry-After"), expected.Status == 503 ? Is.Not.Empty : Is.Empty, kind.ToString());
                Assert.That(answer.Rest, Does.StartWith($"torbalancer: {expected.Cause}\n"), kind.ToString());
            }
        }
    }
}
