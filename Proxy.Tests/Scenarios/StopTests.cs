using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>SIGTERM while connections are carried, on the real process.</summary>
[Category(ProgramRun.Native)]
public sealed class StopTests : ScenarioFixture
{
    [TestCase("http")]
    [TestCase("socks5h")]
    [CancelAfter(60_000)]
    public async Task Live_download_is_finished_while_new_clients_are_refused(string scheme, CancellationToken token)
    {
        await using WebOrigin web = await WebOrigin.StartAsync(Network);
        await using var daemon = await DaemonUnderTest.StartAsync(DaemonUnderTest.ConfigurationFor(Network), token);
        Task<ClientResult> download = ClientProcess.CurlAsync(
            token, "--proxy", $"{scheme}://{daemon}", $"http://{WebOrigin.Name}:{web.Port}/gated");
        await web.HalfSent.WaitAsync(token);

        daemon.Terminate();
        await RefusedAsync(daemon.Address, token);
        Assert.That(daemon.Exited.IsCompleted, Is.False);
        web.Release();

        var result = await download;
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(WebOrigin.Hash(result.Bytes), Is.EqualTo(WebOrigin.Hash(WebOrigin.GatedBytes)));
        Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
        Assert.That(daemon.Lines, Has.Some.Contains("ended by themselves: True"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Silent_tunnel_is_cut_when_the_drain_time_is_over(CancellationToken token)
    {
        string configuration = DaemonUnderTest.ConfigurationFor(Network) + "\n[Tunnel]\nDrainTimeout = 2s\n";
        await using var daemon = await DaemonUnderTest.StartAsync(configuration, token);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(daemon.Address, token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        Assert.That((await SocksClient.RequestAsync(stream, "web.test", Network.EchoPort, token))[1], Is.Zero);

        var clock = Stopwatch.StartNew();
        daemon.Terminate();
        Assert.That(await EndsAsync(stream, token), Is.True);

        // It was given its time, and the exit code does not blame anybody for using it.
        Assert.That(clock.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(1.5)));
        Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
        Assert.That(daemon.Lines, Has.Some.Contains("ended by themselves: False"));
        Assert.That(daemon.Lines, Has.Some.Contains("end=drained"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Idle_daemon_ends_at_once(CancellationToken token)
    {
        await using var daemon = await DaemonUnderTest.StartAsync(DaemonUnderTest.ConfigurationFor(Network), token);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
        Assert.That(daemon.Lines, Has.None.Contains(" ERROR ").And.None.Contains("Unhandled"));
    }

    /// <summary>Returns when a new connection is refused: the listener is closed.</summary>
    private static async Task RefusedAsync(IPEndPoint address, CancellationToken token)
    {
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(address, token);
            }
            catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused)
            {
                return;
            }
            catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionReset)
            {
                // It came between the last accept and the close.
            }

            await Task.Delay(20, token);
        }
    }

    private static async Task<bool> EndsAsync(Stream stream, CancellationToken token)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], token) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
