namespace TorBalancer.Tests.Configuration.Rules;

/// <summary>A value that was refused is one mistake: nothing is said of the default that stands in its place.</summary>
public class SecondComplaintTests
{
    private const string Link = "WgHostAddress = 10.201.1.1\nAddress = 10.201.1.2\nWgWorkerAddress = 10.201.1.2\n";

    [TestCase("[Listener:a]\nAddress = 192.168.1.2\nAllowFrom = 192.168.1.0/24")]
    [TestCase("[Worker:a]\nTor = no\n[Balancing]\nIsolation = nonee")]
    [TestCase("[Route]\nClearnet = wireguard\n[Worker:a]\nWgInterface = wg/0\n" + Link)]
    [TestCase("[Worker:a]\nAddress = 10.0.0.256\nSocksPort = unix:/s\nSshPort = 22")]
    public void One_mistake_is_one_message(string text)
    {
        var result = Loading.Text(text);

        Assert.That(result.Errors, Has.Count.EqualTo(1), Loading.Join(result.Errors));
        Assert.That(result.Warnings, Is.Empty, Loading.Join(result.Warnings));
    }
}
