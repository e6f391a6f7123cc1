using System.Security.Cryptography;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>ssh, which brings its connection through the proxy with nc.</summary>
public sealed class SshTests : ScenarioFixture
{
    private SshServer _server = null!;

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        _server = await SshServer.StartAsync(Network, patience.Token);
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }

    [TestCase("5")]
    [TestCase("connect")]
    [CancelAfter(60_000)]
    public async Task Command_runs_and_1_MB_comes_back_as_it_went(string protocol, CancellationToken token)
    {
        var command = await RunAsync(protocol, "echo said $((6 * 7))", null, token);
        Assert.That(command.Output, Is.EqualTo("said 42\n"), command.Error);

        byte[] data = RandomNumberGenerator.GetBytes(1024 * 1024);
        var copy = await RunAsync(protocol, "cat", data, token);
        Assert.That(copy.ExitCode, Is.Zero, copy.Error);
        Assert.That(copy.Bytes.AsSpan().SequenceEqual(data), Is.True, $"{copy.Bytes.Length} bytes came back");
    }

    [Test, CancelAfter(60_000)]
    public async Task Exit_code_of_the_command_comes_back(CancellationToken token)
    {
        var result = await RunAsync("5", "exit 7", null, token);
        Assert.That(result.ExitCode, Is.EqualTo(7), result.Error);
    }

    private Task<ClientResult> RunAsync(string protocol, string command, byte[]? input, CancellationToken token)
    {
        string nc = SshServer.RequireNetcat();
        return ClientProcess.RunAsync(
            "ssh",
            [
                "-F", "/dev/null", "-T", "-p", Text(_server.Port), "-i", _server.UserKey, "-l", Environment.UserName,
                "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o",
                $"UserKnownHostsFile={_server.KnownHosts}",
                "-o", $"ProxyCommand={nc} -X {protocol} -x {Address} %h %p", TestNetwork.OriginName, command,
            ],
            token,
            input: input);
    }
}
