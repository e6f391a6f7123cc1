using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

[Category(ProgramRun.Native)]
public class RunCommandStartTests
{
    [Test, CancelAfter(30_000)]
    public async Task Run_on_a_taken_address_says_so_in_one_sentence(CancellationToken cancellationToken)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string address = ((IPEndPoint)taken.LocalEndpoint).ToString();

        var result = await ProgramRun.RunAsync(
            ProgramRun.Daemon,
            ["run", "--config", "/dev/null", $"--Listener:main:Address={address}", "--Admin:Address=none", "--Worker:w1:SocksPort=9"],
            cancellationToken);

        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error.Trim(), Is.EqualTo(string.Create(
            CultureInfo.InvariantCulture, $"torbalancer: [Listener:main] cannot listen on {address}: Address already in use")));
        Assert.That(result.Output, Does.Not.Contain("   at "));
    }
}
