using System.Globalization;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>Small tools that send FIN behind their request.</summary>
public class AdminFinishedClientTests
{
    [TestCase("/healthz")]
    [TestCase("/metrics")]
    [TestCase("/api/v1/workers")]
    [CancelAfter(30_000)]
    public async Task Real_netcat_that_finishes_behind_its_request_is_answered(string path, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        byte[] request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {admin.Server.Address}\r\nConnection: close\r\n\r\n");
        for (int round = 0; round < 20; round++)
        {
            var result = await ClientProcess.RunAsync("nc.openbsd", ["-N", "127.0.0.1", admin.Server.Address!.Port.ToString(CultureInfo.InvariantCulture)], token, input: request);
            Assert.That(result.Output, Does.StartWith("HTTP/1.1 "), $"round {round}");
        }
    }
}
