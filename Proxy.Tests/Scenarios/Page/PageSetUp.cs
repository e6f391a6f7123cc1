using Microsoft.Playwright;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>One daemon in front of real tors, and one Chromium, for all tests of the page. Debian's browser: none is downloaded.</summary>
[SetUpFixture]
public sealed class PageSetUp
{
    private static IPlaywright? _playwright;

    /// <summary>Names that lead to this machine as those of a hostile web site do that has its DNS changed.</summary>
    internal const string EvilHost = "evil.test", ReboundHost = "rebound.test";

    internal static TestNetwork Network { get; private set; } = null!;

    internal static DaemonUnderTest Daemon { get; private set; } = null!;

    /// <summary>http://127.0.0.1:port, the admin address.</summary>
    internal static string Admin { get; private set; } = "";

    internal static IBrowser Browser { get; private set; } = null!;

    internal static HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false });

    [OneTimeSetUp, CancelAfter(120_000)]
    public async Task StartAsync()
    {
        string chromium = ClientProcess.Require("chromium");
        Network = await SharedTestNetwork.GetAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string configuration = "[Log]\nTargets = yes\n" + DaemonUnderTest.ConfigurationFor(Network)
            .Replace("[Health]\n", "[Health]\nCheckInterval = 1s\nRecoveryBackoff = 1s\n", StringComparison.Ordinal);
        Daemon = await DaemonUnderTest.StartAsync(configuration, patience.Token, admin: "Address = 127.0.0.1:0");
        Admin = "http://" + await Daemon.AdminAddressAsync(patience.Token);
        _playwright = await Playwright.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = chromium,
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                $"--host-resolver-rules=MAP {EvilHost} 127.0.0.1, MAP {ReboundHost} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        });
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (Browser is not null)
            await Browser.DisposeAsync();
        _playwright?.Dispose();
        if (Daemon is not null)
            await Daemon.DisposeAsync();
        Client.Dispose();
    }
}
