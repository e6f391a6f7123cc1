namespace TorBalancer.Tests.Configuration.Rules;

public class ConnectRulesTests
{
    [TestCase("AttemptTimeout", "31s")]
    [TestCase("WorkerTimeout", "40s")]
    public void Timeouts_longer_than_the_whole_refused(string key, string value) =>
        Assert.That(Loading.Errors($"[Connect]\nTimeout = 30s\n{key} = {value}"),
            Is.EqualTo($"t.conf:3: [Connect] {key} = {value} is longer than Timeout = 30s, which holds for all attempts together"));
}
